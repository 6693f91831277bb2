# E-Mails über Konten.
mail-register-subject = Bestätigen Sie Ihre Adresse
mail-register-body =
    Jemand möchte { $address } für ein Konto registrieren. Wenn Sie das waren, öffnen Sie innerhalb eines Tages diesen Link und wählen Sie ein Passwort:

    { $link }

    Wenn Sie es nicht waren, tun Sie nichts. Ohne diesen Link entsteht kein Konto.
mail-registered-subject = Sie haben schon ein Konto
mail-registered-body =
    Jemand möchte { $address } registrieren, doch diese Adresse hat schon ein persönliches Konto. Wenn Sie das waren und das Passwort vergessen haben, öffnen Sie innerhalb einer Stunde diesen Link und wählen Sie ein anderes:

    { $link }

    Wenn Sie es nicht waren, tun Sie nichts. Ihr Passwort bleibt, wie es ist.
mail-forgotten-subject = Wählen Sie ein neues Passwort
mail-forgotten-body =
    Jemand hat ein neues Passwort für das persönliche Konto von { $address } angefordert. Sie melden sich mit dieser Adresse an. Öffnen Sie innerhalb einer Stunde diesen Link und wählen Sie ein neues Passwort:

    { $link }

    Wenn Sie es nicht waren, tun Sie nichts. Ihr Passwort bleibt, wie es ist.
mail-forgotten-work-subject = Wählen Sie ein neues Passwort für { $organisation }
mail-forgotten-work-body =
    Jemand hat ein neues Passwort für das Arbeitskonto von { $address } bei { $organisation } angefordert. Sie melden sich mit dieser Adresse an. Öffnen Sie innerhalb einer Stunde diesen Link und wählen Sie ein neues Passwort:

    { $link }

    Wenn Sie es nicht waren, tun Sie nichts. Ihr Passwort bleibt, wie es ist.
mail-no-account-subject = Kein Konto hat diese Adresse
mail-no-account-body =
    Jemand hat ein neues Passwort für { $address } angefordert, doch kein Konto hat diese Adresse. Vielleicht haben Sie sich mit einer anderen registriert. Wenn Sie ein Konto mit dieser Adresse möchten, öffnen Sie innerhalb eines Tages diesen Link:

    { $link }

    Wenn Sie es nicht waren, tun Sie nichts.
mail-invite-subject = { $organisation } lädt Sie ein
mail-invite-body =
    { $organisation } hat ein Arbeitskonto für { $address } angelegt. Öffnen Sie innerhalb von 14 Tagen diesen Link und wählen Sie ein Passwort:

    { $link }

    Wenn Sie das nicht erwarten, tun Sie nichts, oder fragen Sie die Administratoren von { $organisation }.
mail-reset-subject = Wählen Sie ein neues Passwort für { $organisation }
mail-reset-body =
    Ein Administrator von { $organisation } bittet Sie, ein neues Passwort für { $address } zu wählen. Öffnen Sie innerhalb eines Tages diesen Link:

    { $link }

    Bis dahin gilt Ihr altes Passwort.
mail-address-subject = Bestätigen Sie Ihre neue Adresse
mail-address-body =
    Jemand möchte ab jetzt { $address } für ein Konto verwenden. Wenn Sie das waren, öffnen Sie innerhalb eines Tages diesen Link:

    { $link }

    Wenn Sie es nicht waren, tun Sie nichts.
mail-address-changed-subject = Ihre Adresse wurde geändert
mail-address-changed-body =
    Ihr Konto hat ab jetzt eine andere Adresse: { $address }. Mit ihr melden Sie sich an. Wenn Sie das nicht waren, sagen Sie es sofort dem Hersteller.
mail-password-set-subject = Ihr Passwort wurde gesetzt
mail-password-set-body =
    Das Passwort von { $address } wurde gerade gesetzt, und alle anderen Sitzungen sind beendet. Wenn Sie das nicht waren, fordern Sie sofort auf der Anmeldeseite ein neues Passwort an.
mail-deactivated-subject = Ihr Konto wurde gelöscht
mail-deactivated-body =
    Das Konto von { $address } wurde auf Ihren Wunsch gelöscht. Ihre Daten werden 30 Tage aufbewahrt. Wenn Sie es in dieser Zeit zurückhaben möchten, fragen Sie Ihre Administratoren, oder den Hersteller, wenn es ein persönliches Konto war.
# Seiten der Konten.
accounts-address = E-Mail-Adresse
accounts-password = Passwort
accounts-personal = Persönliches Konto
accounts-work = Arbeitskonto bei { $organisation }
sign-in-again = Zeigen Sie noch einmal, dass Sie { $address } sind, bevor Sie fortfahren. Danach ist es 15 Minuten lang nicht mehr nötig.
sign-in-wrong = Adresse und Passwort passen nicht zusammen, oder es gab zu viele Versuche. Prüfen Sie beides und versuchen Sie es in ein paar Minuten erneut, oder wählen Sie ein neues Passwort.
sign-in-busy = Von Ihrem Ort kamen zu viele falsche Passwörter. Versuchen Sie es später erneut.
sign-in-register = Für ein persönliches Konto registrieren
sign-in-forgotten = Name oder Passwort vergessen?
sign-in-password-set = Ihr Passwort wurde gesetzt. Melden Sie sich damit an.
sign-in-registered = Ihr Konto wurde angelegt. Melden Sie sich an.
sign-in-deleted = Ihr Konto wurde gelöscht.
sign-in-signed-out = Sie sind abgemeldet.
choose-title = Welches Konto?
choose-about = Diese Adresse und dieses Passwort gehören zu mehreren Konten.
