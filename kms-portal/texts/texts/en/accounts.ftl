# Mails about accounts.
mail-register-subject = Confirm your address
mail-register-body =
    Somebody wants to register { $address } for an account. If it was you, open this link within a day and choose a password:

    { $link }

    If it was not you, do nothing. No account is made without this link.
mail-registered-subject = You have an account already
mail-registered-body =
    Somebody wants to register { $address }, which has a personal account already. If it was you and you have forgotten the password, open this link within an hour and choose another one:

    { $link }

    If it was not you, do nothing. Your password stays as it is.
mail-forgotten-subject = Choose a new password
mail-forgotten-body =
    Somebody has asked for a new password of the personal account of { $address }. You sign in with this address. Open this link within an hour and choose a new password:

    { $link }

    If it was not you, do nothing. Your password stays as it is.
mail-forgotten-work-subject = Choose a new password for { $organisation }
mail-forgotten-work-body =
    Somebody has asked for a new password of the work account of { $address } at { $organisation }. You sign in with this address. Open this link within an hour and choose a new password:

    { $link }

    If it was not you, do nothing. Your password stays as it is.
mail-no-account-subject = No account has this address
mail-no-account-body =
    Somebody has asked for a new password of { $address }, but no account has this address. You may have registered with another one. If you want an account with this address, open this link within a day:

    { $link }

    If it was not you, do nothing.
mail-invite-subject = { $organisation } invites you
mail-invite-body =
    { $organisation } has made a work account for { $address }. Open this link within 14 days and choose a password:

    { $link }

    If you do not expect this, do nothing, or ask the administrators of { $organisation }.
mail-reset-subject = Choose a new password for { $organisation }
mail-reset-body =
    An administrator of { $organisation } asks you to choose a new password for { $address }. Open this link within a day:

    { $link }

    Until then your old password works.
mail-address-subject = Confirm your new address
mail-address-body =
    Somebody wants to use { $address } for their account from now on. If it was you, open this link within a day:

    { $link }

    If it was not you, do nothing.
mail-address-changed-subject = Your address was changed
mail-address-changed-body =
    Your account has another address from now on: { $address }. You sign in with it. If it was not you, tell the vendor at once.
mail-password-set-subject = Your password was set
mail-password-set-body =
    The password of { $address } was set just now, and all other sessions have ended. If it was not you, ask for a new password at once on the sign-in page.
mail-deactivated-subject = Your account was deleted
mail-deactivated-body =
    The account of { $address } was deleted, as you asked. Your data is kept for 30 days. To have it back within them, ask your administrators, or the vendor if it was a personal account.
# Pages of accounts.
accounts-address = E-mail address
accounts-password = Password
accounts-personal = Personal account
accounts-work = Work account at { $organisation }
sign-in-again = Before you go on, show once more that you are { $address }. You need not do it again for 15 minutes.
sign-in-register = Register for a personal account
sign-in-forgotten = Forgotten name or password?
sign-in-password-set = Your password was set. Sign in with it.
sign-in-registered = Your account was made. Sign in.
sign-in-deleted = Your account was deleted.
sign-in-signed-out = You are signed out.
choose-title = Which account?
choose-about = This address and password belong to several accounts.
accounts-name = Name
accounts-location = Country where you use it
accounts-location-hint = Two letters, such as NL, DE or FR. Some services are not offered in some countries.
accounts-new-password = New password
accounts-password-hint = At least { $least } characters. A sentence is better than a short word with digits.
accounts-mail-me = Send the mail
register-title = Register for a personal account
register-about = Type your e-mail address. You get a mail with a link to choose a password. For a work account, ask the administrators of your organisation. Volume keys need no account.
forgotten-title = Forgotten name or password
forgotten-about = You sign in with an e-mail address. Type it, and you get a mail for each account that has this address, with a link to choose a new password. If no account has it, the mail says so. In an organisation, an administrator can look up your address.
mailed-title = Look at your mail
mailed-about = A mail is on its way to { $address }. Open the link in it. If nothing comes, look among the unwanted mail, or try again in an hour.
link-register-title = Make your account
link-register-about = This makes a personal account for { $address }.
link-register-button = Make the account
link-invite-title = Choose a password
link-invite-about = With it you sign in as { $address }.
link-invite-button = Set the password
link-reset-title = Choose a new password
link-reset-about = It is for { $address }. All sessions of this account end.
link-reset-button = Set the password
link-address-title = Confirm your new address
link-address-about = From now on you sign in as { $address }.
link-address-button = Use this address
link-ended-title = This link does not work any more
link-ended = It was used before, or its time is over, or it was mailed to another address. Ask for another one.
link-ended-forgotten = Send another link
fault-busy = Too much was tried from where you are. Try again later.
fault-wrong = Address and password do not fit, or there were too many tries. Check both and try again in a few minutes, or choose a new password.
fault-password-short = That is too short: a password has at least { $least } characters.
fault-password-long = That is too long.
fault-password-guessable = That is among the first that others would try. Choose another password.
fault-no-name = Type a name of at most 200 characters.
fault-no-address = That is no e-mail address.
fault-address-taken = Another account has this address. Sign in there, or choose another address.
fault-last-general = You are the last general administrator of your organisation who can sign in. Make somebody else one first.
account-done-name = Saved.
account-done-address = Your address was changed.
account-done-sessions = All other sessions have ended.
account-session-seen = { $ago } ago
account-other = If this is not the account that you want, sign out and sign in with the other one.
account-name-title = Name and language
account-language = Language of mails and pages
account-old-password = Password until now
account-change-password = Change the password
account-address-of-work = The administrators of your organisation change the address of a work account.
account-address-about = You get a mail at the new address. Nothing changes before you open the link in it. The old address is told.
account-new-address = New e-mail address
account-sessions-title = Where you are signed in
account-session-source = From
account-session-since = Since
account-session-last = Last seen
account-session-this = this session
account-end-sessions = End all other sessions
account-data-title = Your data
account-data = Download what is kept of you
account-delete = Delete the account
account-delete-about = This deletes the account of { $address }. All sessions end, and your devices get no new licences.
account-delete-work = Your licences go back to your organisation at once. Your data is kept for 30 days. Within them, your administrators can restore the account, without its licences and password.
account-delete-personal = Your data is kept for 30 days. Within them, the vendor can restore the account, without its password.
mail-share-subject = { $who } shares { $what } with you
mail-share-body =
    { $who } wants to share { $what } with you. Open this link within 14 days, and sign in with a personal account or register for one:

    { $link }

    If you do not expect this, do nothing.
fault-no-key = That is no product key. Look for a mistyped letter or digit.
fault-volume-key = That key is for machines or hosts. Type it there; it needs no account.
fault-key-unknown = No subscription begins with this key. Compare it with what you were sent.
fault-key-blocked = The vendor has blocked this key. Ask where you bought it.
fault-key-redeemed = Somebody else has redeemed this key. Ask where you bought it.
fault-no-seat = No seat is free any more, or it is not offered in your country. Ask whoever shares it with you.
fault-has-it = You have this already.
fault-personal = This is for personal accounts. Sign in with one, or register for one.
own-title = What you have bought, and what is shared with you
own-none = Nothing yet. A key that you have bought begins a subscription.
own-ends = Paid until { $day }
own-seats = { $taken } of { $seats } seats taken
own-yours = You have a seat.
own-shared = Somebody shares this with you.
own-people = Who has a seat
own-leave = Give my seat back
own-remove = Take the seat of { $who } back
own-share-with = E-mail address of the person with whom you share it
own-share = Share
own-key-title = Redeem a key
own-key = Product key
own-key-hint = 25 letters and digits in groups of five. A key for machines or hosts is typed there, not here.
own-redeem = Redeem
own-done-redeemed = The subscription has begun.
own-done-again = You have redeemed this key before. Here is what came of it.
own-done-ended = The seat is free.
shared-title = { $who } shares { $what } with you
shared-about = With the account { $address } you get a seat of it.
shared-accept = Accept
fault-no-location = Type your country as two letters, such as NL, DE or FR.
