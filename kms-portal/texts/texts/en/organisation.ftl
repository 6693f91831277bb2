# What administrators see of their organisation.
tab-overview = Overview
tab-people = People
tab-licences = Licenses
tab-subscriptions = Subscriptions
tab-conflicts = Conflicts
tab-roles = Roles
tab-keys = Volume keys
tab-audit = Changes
column-choose = Choose
column-name = Name
column-address = E-mail address
column-licences = Licenses
column-roles = Roles
column-role = Role
column-offer = Offer
column-bought = Bought
column-taken = Assigned
column-free = Free
column-served = Done
column-result = Result
column-cause = Cause and ways out
column-since = Assigned on
column-when = When
column-who = Who
column-what = What
column-whom = Concerns
column-host = Host
column-activations = Activations
column-activated = Last activated or renewed
column-certificate-ends = Certificate ends by
pool-over = (too many)
overview-people = { $count ->
    [one] { $count } person
   *[other] { $count } people
}
overview-unlicensed = { $count ->
    [one] { $count } person without a license
   *[other] { $count } people without a license
}
overview-no-over = Look for conflicts
overview-over = { $count ->
    [one] { $count } offer has more seats assigned than bought
   *[other] { $count } offers have more seats assigned than bought
}
overview-seats = Seats
overview-nothing-bought = Nothing has been bought yet.
overview-soon = What ends soon or has stopped
overview-nothing-soon = Nothing ends within 60 days.
error-nothing-bought = Nothing was bought yet. Buy licenses first; then people can be managed.
roles-who = Who has a role
roles-what = What each role may do
roles-caption = Each row is a role, each column something that it may do.
roles-above = Only a general administrator may change, delete or reset the password of another administrator.
roles-last = { $name } is the only general administrator. Make somebody else one as well, so that the organisation is never without.
roles-title = Roles of { $name }
act-assign = Assign licenses
act-revoke = Take licenses back
act-buy = Buy, renew, cancel
act-delete = Delete people
act-reset = Reset passwords
act-health = See conflicts
act-roles = Give roles
act-domains = Manage domains
act-keys = See volume keys
keys-about = These keys activate hosts and machines. They need no account. To have more of one, ask the vendor.
keys-none = The organisation has no volume keys.
keys-last-group = Last group
keys-used = Used
keys-ends = Ends
keys-no-end = never
keys-hosts = Hosts that this key has activated
keys-of = { $used } of { $granted }
keys-hosts-used = { $used } of { $granted } hosts
keys-machines-used = { $used } of { $granted } machines
keys-revoked = revoked on { $date }
keys-blocked = The vendor has blocked this key.
audit-none = Nothing has been changed yet.
audit-caption = The latest first. Times are in UTC.
change-assign = Licenses assigned
change-replace = Licenses replaced
change-take-back = Licenses taken back
change-add-person = Person added
change-edit-person = Person changed
change-set-roles = Roles set
change-reset-password = Link for a new password mailed
change-set-password = Password set
change-change-address = Address changed
change-make-token-of-an-organisation = Token made
change-revoke-token-of-an-organisation = Token taken back
change-block-person = Person blocked
change-unblock-person = Person let in again
change-delete-person = Person deleted
change-restore-person = Person restored
change-add-subscription = Subscription added
change-renew-subscription = Subscription renewed
change-set-seats = Number of seats set
change-cancel-subscription = Subscription cancelled
change-reactivate-subscription = Subscription reactivated
change-renew-automatically = Automatic renewal on
change-do-not-renew-automatically = Automatic renewal off
change-disable-subscription = Subscription disabled by the vendor
change-enable-subscription = Subscription enabled by the vendor
