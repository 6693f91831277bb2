# What the operator of a call sees. English.

ask-first = Ask the caller for the installation id, and type it a group at a time. Several groups on a line are fine.
group = Group { $group }:
group-wrong = Group { $group } is wrong. Ask for it again.
group-length = Group { $group } has { $has ->
    [one] { $has } character
   *[other] { $has } characters
}, not 6. Ask for it again.
groups-swapped = Groups { $one } and { $other } are swapped. Ask for both again.
too-many = This is more than the groups of an installation id. Everything after group { $group } was left out.
code-wrong = Every group is right, but together they are no installation id: { $why }.
code-partial = The installation id is not whole: { $have ->
    [one] { $have } group is
   *[other] { $have } groups are
} there.
key-of = Key { $number } for { $product }, sold to { $organisation }.
used-machines = Machines that the key has activated: { $used } of { $granted }.
used-hosts = Hosts that the key has activated: { $used } of { $granted }.
machine-known = This machine has its place already. The call costs nothing.
machine-new = This machine takes a place.
host-known = Host { $host } was activated today, or by an earlier call. This call costs nothing.
host-new = This is host { $host }, activation { $activation } of { $activations }.
terms-of = The host has to have terms { $terms } of the key.{ $terms ->
    [1] {""}
   *[other] {" "}If it has an earlier file, confirm with --terms and the number in it.
}
ends = It ends on { $date }.
ends-never = It has no end.
features = Features: { $features }.
confirm = Confirm? (y/n)
# The letters that mean yes, in either case.
yes = y
reason = Reason, such as the number of a ticket:
nothing-confirmed = Nothing was confirmed.
read-aloud = Confirmation id. Read it to the caller, row by row:
in-letters = Or to be typed:
spelled = To be spelled: { $words }.
# Words to spell letters with, of the ICAO.
spelling = Alfa Bravo Charlie Delta Echo Foxtrot Golf Hotel Juliett Kilo Mike November Papa Quebec Romeo Sierra Tango Victor Whiskey X-ray Yankee Zulu
for-camera = Or for a camera:
tell-caller = Tell the caller:
