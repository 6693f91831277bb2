# English. What reasons say stands in the library itself; here are the license states and the wizard.

date = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
} { $year }
length = { $unit ->
    [days] { $count ->
        [one] { $count } day
       *[other] { $count } days
    }
    [hours] { $count ->
        [one] { $count } hour
       *[other] { $count } hours
    }
   *[minutes] { $count ->
        [one] { $count } minute
       *[other] { $count } minutes
    }
}

license-in-grace = This software is not activated yet. It activates itself by { $until }; you do not have to do anything.
license-licensed = Licensed until { $until }. The license renews itself.
license-renewal-overdue = Licensed until { $until }. It should have been renewed on { $since }; the software keeps trying.
license-expiring-soon = The license ends on { $until }. Connect this computer to your organisation’s network so that it can be renewed.
license-lapsed = The license ended on { $since }. The software keeps working. Connect this computer to your organisation’s network to renew it.
license-never-activated = This software should have been activated by { $since }. It keeps working. Connect this computer to your organisation’s network to activate it.
license-clock-wrong = This computer’s clock is { $by } { $direction ->
    [ahead] fast
   *[behind] slow
}. Set the clock; then the license can be renewed.{ $until ->
    [none] {""}
   *[other] {" "}The software is licensed until { $until }.
}
license-without-end = Licensed without an end date.
license-key-entered = A product key has been entered, and this software is not activated with it yet. Connect to the internet and activate; the software works in the meantime.
license-by-key = Licensed until { $until } by a product key.
license-key-ends-soon = The product key ends on { $until }. Ask the seller for a longer term or a new key.
license-key-ended = The product key ended on { $since }. The software keeps working. Ask the seller for a longer term or a new key.
license-key-revoked = The vendor took the license of this product key back on { $since }. The software keeps working. Ask the seller: nothing is wrong with this computer.
license-by-account = Licensed until { $until } by the account that is signed in. The license renews itself.
license-account-ends-soon = The license of the account that is signed in ends on { $until }. Connect to the internet so that it can be renewed, or sign in again.
license-account-ended = The license of the account that is signed in ended on { $since }. The software keeps working. Connect to the internet, or sign in again.
license-hardware-changed = The hardware of this computer has changed; this was noticed on { $since }. Connect to the internet, and the software activates its product key again. It keeps working.

# The wizard, in a dialog or a terminal.
wizard-enter-key = Type the product key: five groups of five characters.
wizard-now-or-later = Product key { $key } is kept on this computer. Activate it now, or later?
wizard-way = How do you want to activate?
wizard-working = One moment, please.
wizard-no-connection = There is no connection to the vendor. The product key stays on this computer.
wizard-failed = Activation did not succeed. The product key stays on this computer.
wizard-country = From which country do you call?
wizard-region = From which part of the country do you call?
wizard-numbers = Call one of these numbers, and keep this open.
wizard-installation-id = Read this installation id to the vendor, group by group.
wizard-confirmation = Type the confirmation id that is read to you, one or more groups at a time.
wizard-licensed = This software is activated.
wizard-later = The product key stays on this computer. The software asks again at its next start.
wizard-key-before = Until then, product key { $before } stays active.
wizard-key-replaced = The vendor still counts this computer under product key { $before }, too.
wizard-give-back = This gives that place back: { $command }
wizard-choose-now = Activate now
wizard-choose-later = Activate later
wizard-choose-internet = Over the internet
wizard-choose-telephone = By telephone
wizard-choose-retry = Try again
wizard-choose-other-key = Enter another product key
wizard-choose-continue = Continue
wizard-choose-back = Back
wizard-number = Telephone: { $number }
wizard-text-telephone = Text telephone: { $number }
wizard-region-of-number = Region: { $region }
wizard-hours = Hours: { $hours }
wizard-languages = Languages: { $languages }
wizard-letters = The same for a keyboard:
wizard-leave = Leave
wizard-empty-goes-back = An empty line goes back.
wizard-empty-leaves = An empty line leaves.
wizard-proposed = An empty line chooses { $country }.
wizard-not-offered = Type a number from 0 to { $last }.
wizard-groups-wrong = Wrong groups: { $groups }. That line was not taken: type it again, from group { $next } on.
wizard-groups-right = Right so far. Continue with group { $next } of { $all }.
wizard-left = Nothing is lost. The next time, it continues here.

fault-nobody = Nobody has to do anything.
fault-machine = Whoever looks after this computer can fix it.
fault-host = Whoever looks after the activation host can fix it.
fault-network = Whoever looks after the network can fix it.
fault-vendor = The vendor of this software can fix it.

unknown = Activation failed for a reason that this version does not know: { $code }
    .remedy = Update this software.
unsigned = { $text } (without a signature, from { $by })
