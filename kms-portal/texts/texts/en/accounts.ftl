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
sign-in-wrong = Address and password do not fit, or there were too many tries. Check both and try again in a few minutes, or choose a new password.
sign-in-busy = Too many wrong passwords came from where you are. Try again later.
sign-in-register = Register for a personal account
sign-in-forgotten = Forgotten name or password?
sign-in-password-set = Your password was set. Sign in with it.
sign-in-registered = Your account was made. Sign in.
sign-in-deleted = Your account was deleted.
sign-in-signed-out = You are signed out.
choose-title = Which account?
choose-about = This address and password belong to several accounts.
