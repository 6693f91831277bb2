//! The wizard as a whole: every state that any user, portal and disk can bring it into is visited, and what holds in all of them is checked
//! there.

use std::collections::{BTreeSet, VecDeque};

use shared::envelope::SecretKey;
use shared::ids::ProductId;
use shared::license::LicenseState;
use shared::parts::HardwareParts;
use shared::time::Timestamp;

use super::*;
use crate::snapshot::EnteredKey;
use crate::testing::snapshot;

const KEYS: [KeyNumber; 2] = [KeyNumber::from_bytes([1; 5]), KeyNumber::from_bytes([2; 5])];

fn number(region: &str, number: &str) -> TelephoneNumber {
    TelephoneNumber {
        region: region.to_owned(),
        kinds: vec![],
        number: number.to_owned(),
        text_telephone: String::new(),
        hours: String::new(),
        languages: vec![],
    }
}

/// Belgium has two regions; the number of the United States is for hosts.
fn telephones() -> Telephones {
    let country =
        |code: &str, numbers| TelephoneCountry { code: code.parse().unwrap(), names: vec![], numbers };
    let hosts = TelephoneNumber { kinds: vec![KeyKind::Host], ..number("", "1-800-555-0100") };
    let countries = vec![
        country("BE", vec![number("Vlaanderen", "+32 2 555 0100"), number("Wallonie", "+32 2 555 0101")]),
        country("NL", vec![number("", "+31 20 555 0100")]),
        country("US", vec![hosts]),
    ];
    Telephones::new(vec![], countries).unwrap()
}

fn offered(internet: bool, codes: bool, numbers: bool) -> Offered {
    let telephones = numbers.then(|| Arc::new(telephones()));
    Offered { internet, codes, telephones, guess: CountryCode::of_locale("nl_NL.UTF-8") }
}

/// What a product may offer.
fn all_offered() -> Vec<Offered> {
    let ways = [(true, true), (true, false), (false, true)];
    let numbers = [true, false];
    ways.iter()
        .flat_map(|(internet, codes)| numbers.map(|numbers| offered(*internet, *codes, numbers)))
        .collect()
}

/// Where a machine may stand.
fn all_begun() -> Vec<Snapshot> {
    let at = Timestamp::from_unix_ms(1_800_000_000_000);
    let with = |state, confirmed_at| {
        let mut begun = snapshot(state);
        let (number, not_after) = (KEYS[0], None);
        begun.key = Some(EnteredKey { number, confirmed_at, not_after, by_code: false, before: None });
        begun
    };
    let mut another_waits = with(LicenseState::LicensedWithoutEnd, None);
    another_waits.key.as_mut().unwrap().before = Some(KEYS[1]);
    vec![
        snapshot(LicenseState::InGrace { until: at }),
        snapshot(LicenseState::Licensed { until: at }),
        with(LicenseState::KeyEntered { notices: false }, None),
        with(LicenseState::LicensedWithoutEnd, Some(at)),
        with(LicenseState::KeyEnded { since: at }, Some(at)),
        with(LicenseState::HardwareChanged { since: at, notices: true }, Some(at)),
        another_waits,
    ]
}

fn code() -> InstallationCode {
    let (key, product) = (SecretKey::from_seed(&[7; 32]).public(), ProductId::from_bytes([8; 16]));
    InstallationCode(shared::codes::InstallationId::of_machine(
        &key,
        product,
        KEYS[0],
        &HardwareParts::default(),
    ))
}

/// All that may come of a task.
fn outcomes(task: &WizardTask) -> Vec<WizardDone> {
    let causes = || [Reason::PortalUnreachable, Reason::KeyBlocked, Reason::StateUnwritable].map(Cause::from);
    let failed = causes().map(|cause| JobResult::Activated(Ok(Outcome::Failed(cause))));
    let refused = causes().map(|cause| task.refused(cause).answered);
    let done = match task.job {
        WizardJob::EnterKey => {
            let key = |number, is_licensed, before| WizardKey { number, is_licensed, before };
            let [first, second] = KEYS;
            // The second may be entered in place of the first, and the first again in its place.
            let all = [key(first, false, None), key(second, false, Some(first)), key(first, true, None)];
            all.map(|key| JobResult::Key(Ok(key))).to_vec()
        }
        WizardJob::Activate => {
            let outcomes = [Outcome::Confirmed { until: None, used: 1, granted: 1 }, Outcome::Released];
            outcomes.map(|outcome| JobResult::Activated(Ok(outcome))).into_iter().chain(failed).collect()
        }
        WizardJob::InstallationId => vec![JobResult::Installation(Ok(code()))],
        WizardJob::Confirm => vec![JobResult::Confirmed(Ok(()))],
    };
    done.into_iter().chain(refused).map(|answered| WizardDone { turn: task.turn, answered }).collect()
}

/// A state, by all that decides what follows: the last task does so only while it is under way or after it has failed.
fn name(wizard: &Wizard) -> String {
    let Wizard { step, problem, key, country, region, code, job, given_at, .. } = wizard;
    let is_working = *step == WizardStep::Working;
    let given_at = is_working.then_some(given_at);
    let job = (is_working || step.cause().is_some()).then_some(job);
    format!("{:?}", (step, problem, key, country, region, code.is_some(), job, given_at))
}

/// What holds wherever a user is.
fn check(wizard: &Wizard) {
    let choices = wizard.choices();
    let is_stuck = choices.is_empty() && !wizard.wants_text() && !wizard.is_over();
    assert!(!is_stuck, "there is nothing to do: {wizard:?}");
    let has_way_back = choices.contains(&WizardChoice::Back) || choices.contains(&WizardChoice::OtherKey);
    assert!(has_way_back || (*wizard.step() == WizardStep::EnterKey && wizard.key().is_none()), "{wizard:?}");
    let is_first = matches!(wizard.step(), WizardStep::EnterKey | WizardStep::Working);
    assert!(is_first || wizard.key().is_some(), "nothing is activated without a key: {wizard:?}");
    if *wizard.step() == WizardStep::Numbers {
        assert!(!wizard.numbers().is_empty(), "{wizard:?}");
    }
    assert!(wizard.problem().is_none() || wizard.wants_text(), "{wizard:?}");
    let is_licensed = wizard.key.is_some_and(|key| key.is_licensed);
    assert!(*wizard.step() != WizardStep::NowOrLater || !is_licensed, "a key is activated twice: {wizard:?}");
}

type Act = Box<dyn Fn(&mut Wizard) -> Option<WizardTask>>;

/// The states that one act of the user, or one answer, leads to.
fn next(wizard: &Wizard) -> Vec<Wizard> {
    let mut acts: Vec<Act> = vec![Box::new(|wizard| wizard.enter("anything"))];
    for choice in wizard.choices() {
        acts.push(Box::new(move |wizard| wizard.choose(&choice)));
    }
    let mut reached = Vec::new();
    for act in acts {
        let mut waiting = wizard.clone();
        let Some(task) = act(&mut waiting) else {
            reached.push(waiting);
            continue;
        };
        // The answer comes while the user waits, after they went back, and after they went back and began something else.
        let mut gone_back = waiting.clone();
        assert!(gone_back.choose(&WizardChoice::Back).is_none());
        for done in outcomes(&task) {
            let mut elsewhere = vec![waiting.clone(), gone_back.clone()];
            for choice in gone_back.choices() {
                let mut other = gone_back.clone();
                drop(other.choose(&choice));
                elsewhere.push(other);
            }
            for mut wizard in elsewhere {
                let key = wizard.key();
                let was = wizard.is_over();
                wizard.finish(done.clone());
                let expected = match &done.answered {
                    JobResult::Key(Ok(key)) => Some(key.number),
                    _ => key,
                };
                assert_eq!(wizard.key(), expected, "a key is lost: {wizard:?}");
                assert!(!was || wizard.is_over(), "{wizard:?}");
                reached.push(wizard);
            }
        }
        reached.extend([waiting, gone_back]);
    }
    reached
}

#[test]
fn no_user_gets_stuck_and_no_key_is_lost_whatever_happens() {
    for (offered, begun) in
        all_offered().iter().flat_map(|offered| all_begun().into_iter().map(move |begun| (offered, begun)))
    {
        let start = Wizard::begin(offered.clone(), &begun);
        let mut seen = BTreeSet::from([name(&start)]);
        let mut left = VecDeque::from([start]);
        let mut steps = BTreeSet::new();
        while let Some(wizard) = left.pop_front() {
            check(&wizard);
            steps.insert(wizard.step().text_key());
            left.extend(next(&wizard).into_iter().filter(|wizard| seen.insert(name(wizard))));
            assert!(seen.len() < 20_000, "it has no end");
        }
        let ways = usize::from(offered.codes && offered.internet);
        let numbers = usize::from(offered.codes && offered.telephones.is_some());
        assert_eq!(steps.len(), 7 + ways + 2 * usize::from(offered.codes) + 3 * numbers, "{steps:?}");
    }
}

/// A choice of another step is a button that was pressed twice.
#[test]
fn what_is_not_offered_changes_nothing() {
    let all = [
        WizardChoice::Now,
        WizardChoice::Later,
        WizardChoice::Internet,
        WizardChoice::Telephone,
        WizardChoice::Retry,
        WizardChoice::OtherKey,
        WizardChoice::Country("US".parse().unwrap()),
        WizardChoice::Region("Brussel".to_owned()),
        WizardChoice::Continue,
        WizardChoice::Back,
    ];
    for begun in all_begun() {
        let mut wizard = Wizard::begin(offered(true, true, true), &begun);
        for choice in &all {
            if !wizard.choices().contains(choice) {
                let before = name(&wizard);
                assert!(wizard.choose(choice).is_none());
                assert_eq!(name(&wizard), before);
            }
        }
    }
}
