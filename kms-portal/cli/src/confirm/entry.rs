//! An installation id while it is typed: groups of six, in the order in which the caller reads them. Each is checked at once.
//!
//! `shared::codes` knows which groups are right. This file only divides characters into groups.

use shared::codes::{CodeForm, CodeKind, CodeText, without_row_letters};
use shared::groups::GroupState;

/// How many characters a group has.
const GROUP: usize = 6;

/// What is in place of a group that is not known yet.
const FILLER: &str = "000000";

/// The groups so far. One that was wrong is open until it is typed again.
#[derive(Debug, Default)]
pub(super) struct CodeEntry {
    groups: Vec<Option<String>>,
    form: Option<CodeForm>,
}

/// What is wrong with what was typed. Groups are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryFault {
    /// Its check does not fit.
    Wrong { group: usize },
    /// It has this number of characters instead of six.
    Length { group: usize, has: usize },
    /// Two groups have changed places: each is right in the place of the other.
    Swapped { one: usize, other: usize },
    /// More groups followed this one than any installation id has.
    TooMany { group: usize },
}

impl CodeEntry {
    /// The number of the group that is typed next.
    pub(super) fn next(&self) -> usize {
        self.open().next().unwrap_or(self.groups.len()) + 1
    }

    /// How many groups are right so far.
    pub(super) fn have(&self) -> usize {
        self.groups.iter().flatten().count()
    }

    /// What was typed, once as many groups are right as an installation id has.
    pub(super) fn whole(&self) -> Option<String> {
        let kinds = [CodeKind::Machine, CodeKind::Host].map(|kind| Some(kind.groups(self.form?)));
        let groups: Vec<_> = self.groups.iter().flatten().map(String::as_str).collect();
        (groups.len() == self.groups.len() && kinds.contains(&Some(groups.len()))).then(|| groups.join("-"))
    }

    /// Whether this may still be the beginning of a host's code.
    pub(super) fn may_go_on(&self) -> bool {
        self.form.is_some_and(|form| self.groups.len() < CodeKind::Host.groups(form))
    }

    /// Takes a line: one group, several, or all of them.
    pub(super) fn add(&mut self, line: &str) -> Vec<EntryFault> {
        let mut faults = Vec::new();
        let mut wrong: Vec<(usize, String)> = Vec::new();
        let open: Vec<_> = self.open().collect();
        let mut places = open.into_iter().chain(self.groups.len()..);
        for text in divide(line) {
            let Some(index) = places.next() else { break };
            if self.most() <= index {
                faults.push(EntryFault::TooMany { group: index });
                break;
            }
            if self.groups.len() == index {
                self.groups.push(None);
            }
            let group = index + 1;
            let has = text.chars().count();
            if has != GROUP {
                faults.push(EntryFault::Length { group, has });
            } else if let Some(form) = self.form_of(&text, group) {
                self.form = Some(form);
                self.groups[index] = Some(text);
            } else {
                wrong.push((group, text));
            }
        }
        // Those that are wrong at the end stay untyped.
        while self.groups.last().is_some_and(Option::is_none) {
            self.groups.pop();
        }
        faults.extend(self.name_wrong(&wrong));
        faults
    }

    fn name_wrong(&self, wrong: &[(usize, String)]) -> Vec<EntryFault> {
        let fits = |text: &str, group| self.form_of(text, group).is_some();
        let partner = |(group, text): &(usize, String)| {
            let is_partner = |(other, there): &&(usize, String)| {
                other != group && fits(text, *other) && fits(there, *group)
            };
            let found: Vec<_> = wrong.iter().filter(is_partner).map(|(other, _)| *other).collect();
            // Among many wrong digits some fit by chance.
            if let [other] = found[..] { Some(other) } else { None }
        };
        let fault = |mistyped: &(usize, String)| match partner(mistyped) {
            Some(other) if mistyped.0 < other => Some(EntryFault::Swapped { one: mistyped.0, other }),
            Some(_) => None,
            None => Some(EntryFault::Wrong { group: mistyped.0 }),
        };
        wrong.iter().filter_map(fault).collect()
    }

    fn open(&self) -> impl Iterator<Item = usize> + '_ {
        self.groups.iter().enumerate().filter(|(_, group)| group.is_none()).map(|(index, _)| index)
    }

    /// No code has more groups than one in digits.
    fn most(&self) -> usize {
        CodeKind::Host.groups(self.form.unwrap_or(CodeForm::Digits))
    }

    /// In which form this is right as the group of this number. A group in letters may have only digits in it, so all groups decide.
    fn form_of(&self, text: &str, group: usize) -> Option<CodeForm> {
        let typed =
            || self.groups.iter().zip(1..).filter_map(|(text, group)| Some((text.as_deref()?, group)));
        let all = |form: &CodeForm| {
            typed().chain([(text, group)]).all(|(text, group)| is_right(*form, text, group))
        };
        [CodeForm::Digits, CodeForm::Letters].into_iter().find(all)
    }
}

/// Whether it is right as the group of this number, in a code of any kind.
fn is_right(form: CodeForm, text: &str, group: usize) -> bool {
    let before = FILLER.repeat(group - 1);
    let groups = CodeText::new(CodeKind::Host, form, &(before + text)).groups();
    groups.get(group - 1) == Some(&GroupState::Right)
}

/// The groups in a line. Spaces and dashes stand between groups; where that makes none of six, they stand anywhere.
fn divide(line: &str) -> Vec<String> {
    let line = without_row_letters(line);
    let parts = line.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let parts: Vec<String> = parts.map(str::to_owned).collect();
    let is_group = |part: &String| part.chars().count() == GROUP;
    let all: Vec<char> = parts.iter().flat_map(|part| part.chars()).collect();
    if parts.iter().any(is_group) && !all.len().is_multiple_of(GROUP) || parts.iter().all(is_group) {
        return parts;
    }
    all.chunks(GROUP).map(|group| group.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use shared::codes::InstallationId;
    use shared::envelope::SecretKey;
    use shared::ids::ProductId;
    use shared::parts::HardwareParts;
    use shared::product_key::KeyNumber;

    use super::*;

    fn ids() -> [InstallationId; 2] {
        let (key, product) = (SecretKey::from_seed(&[7; 32]).public(), ProductId::from_bytes([1; 16]));
        let number = KeyNumber::from_bytes([1, 2, 3, 4, 5]);
        [
            InstallationId::of_machine(&key, product, number, &HardwareParts::NONE),
            InstallationId::of_host(key, product, number),
        ]
    }

    fn all() -> impl Iterator<Item = (InstallationId, String)> {
        let forms = [CodeForm::Digits, CodeForm::Letters];
        ids().into_iter().flat_map(move |id| forms.map(|form| (id, id.text(form))))
    }

    #[test]
    fn an_id_is_taken_however_its_groups_are_divided() {
        for (id, text) in all() {
            let groups: Vec<_> = text.split('-').collect();
            let by_fours =
                groups.chunks(4).zip('A'..).map(|(row, letter)| format!("  {letter}   {}", row.join("   ")));
            let ways = [
                groups.iter().map(|group| (*group).to_owned()).collect(),
                vec![text.clone()],
                vec![text.replace('-', "")],
                vec![text.replace('-', " ").to_lowercase()],
                by_fours.collect::<Vec<_>>(),
                groups.iter().map(|group| format!("{} {}", &group[..3], &group[3..])).collect(),
            ];
            for way in ways {
                let mut entry = CodeEntry::default();
                for line in &way {
                    assert_eq!(entry.add(line), [], "{line} of {way:?}");
                }
                let typed = entry.whole().unwrap();
                assert_eq!(typed.parse::<InstallationId>().unwrap(), id, "{way:?}");
            }
        }
    }

    #[test]
    fn a_wrong_group_is_named_at_once_wherever_it_is_and_asked_for_again() {
        for (id, text) in all() {
            let groups: Vec<_> = text.split('-').collect();
            for (index, right) in groups.iter().enumerate() {
                let group = index + 1;
                let digit = if right.starts_with('1') { '2' } else { '1' };
                let wrong = format!("{digit}{}", &right[1..]);
                let mut entry = CodeEntry::default();
                entry.add(&groups[..index].join(" "));
                assert_eq!(entry.add(&wrong), [EntryFault::Wrong { group }], "{wrong} of {text}");
                assert_eq!(entry.next(), group);
                assert_eq!(entry.add(&right[..5]), [EntryFault::Length { group, has: 5 }]);
                assert_eq!(entry.add(right), []);
                assert_eq!(entry.add(&groups[group..].join(" ")), []);
                assert_eq!(entry.whole().unwrap().parse::<InstallationId>().unwrap(), id);

                // The same in a paste of the whole.
                let mut pasted = groups.clone();
                pasted[index] = &wrong;
                let mut entry = CodeEntry::default();
                assert_eq!(entry.add(&pasted.join("-")), [EntryFault::Wrong { group }], "{pasted:?}");
                assert!(entry.whole().is_none());
                assert_eq!(entry.add(right), []);
                assert_eq!(entry.whole().unwrap().parse::<InstallationId>().unwrap(), id);
            }
        }
    }

    #[test]
    fn swapped_groups_are_named_unless_they_are_ten_apart() {
        for (_, text) in all() {
            let groups: Vec<_> = text.split('-').collect();
            for one in 0..groups.len() {
                for other in (one + 1)..groups.len() {
                    let mut pasted = groups.clone();
                    pasted.swap(one, other);
                    let faults = CodeEntry::default().add(&pasted.join(" "));
                    let is_letters = text.contains(char::is_alphabetic);
                    if groups[one] == groups[other] || (!is_letters && other - one == 10) {
                        continue;
                    }
                    assert_eq!(
                        faults,
                        [EntryFault::Swapped { one: one + 1, other: other + 1 }],
                        "{pasted:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn more_groups_than_there_are_in_a_code_are_named_and_nothing_panics() {
        for (_, text) in all() {
            let mut entry = CodeEntry::default();
            entry.add(&text);
            entry.add(&text);
            let faults = entry.add(&"000000 ".repeat(40));
            assert!(faults.iter().any(|fault| matches!(fault, EntryFault::TooMany { .. })), "{faults:?}");
        }
        for line in ["", "-", "A", "ééé", "１２３", "A 1", "\u{202e}123456", "0000000", &"9".repeat(10_000)]
        {
            CodeEntry::default().add(line);
        }
    }
}
