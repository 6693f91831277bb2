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
sign-in-register = Für ein persönliches Konto registrieren
sign-in-forgotten = Name oder Passwort vergessen?
sign-in-password-set = Ihr Passwort wurde gesetzt. Melden Sie sich damit an.
sign-in-registered = Ihr Konto wurde angelegt. Melden Sie sich an.
sign-in-deleted = Ihr Konto wurde gelöscht.
sign-in-signed-out = Sie sind abgemeldet.
choose-title = Welches Konto?
choose-about = Diese Adresse und dieses Passwort gehören zu mehreren Konten.
accounts-name = Name
accounts-location = Land, in dem Sie es nutzen
accounts-location-hint = Zwei Buchstaben, etwa NL, DE oder FR. Manche Dienste werden in manchen Ländern nicht angeboten.
accounts-new-password = Neues Passwort
accounts-password-hint = Mindestens { $least } Zeichen. Ein Satz ist besser als ein kurzes Wort mit Ziffern.
accounts-mail-me = E-Mail senden
register-title = Für ein persönliches Konto registrieren
register-about = Geben Sie Ihre E-Mail-Adresse ein. Sie bekommen eine E-Mail mit einem Link, um ein Passwort zu wählen. Für ein Arbeitskonto fragen Sie die Administratoren Ihrer Organisation. Volumenschlüssel brauchen kein Konto.
forgotten-title = Name oder Passwort vergessen
forgotten-about = Sie melden sich mit einer E-Mail-Adresse an. Geben Sie sie ein, und Sie bekommen für jedes Konto mit dieser Adresse eine E-Mail mit einem Link, um ein neues Passwort zu wählen. Hat kein Konto sie, sagt die E-Mail das. In einer Organisation kann ein Administrator Ihre Adresse nachsehen.
mailed-title = Sehen Sie in Ihre E-Mails
mailed-about = Eine E-Mail ist unterwegs an { $address }. Öffnen Sie den Link darin. Wenn nichts kommt, sehen Sie bei den unerwünschten E-Mails nach, oder versuchen Sie es in einer Stunde erneut.
link-register-title = Legen Sie Ihr Konto an
link-register-about = Damit entsteht ein persönliches Konto für { $address }.
link-register-button = Konto anlegen
link-invite-title = Wählen Sie ein Passwort
link-invite-about = Damit melden Sie sich als { $address } an.
link-invite-button = Passwort setzen
link-reset-title = Wählen Sie ein neues Passwort
link-reset-about = Es ist für { $address }. Alle Sitzungen dieses Kontos enden.
link-reset-button = Passwort setzen
link-address-title = Bestätigen Sie Ihre neue Adresse
link-address-about = Ab jetzt melden Sie sich als { $address } an.
link-address-button = Diese Adresse verwenden
link-ended-title = Dieser Link gilt nicht mehr
link-ended = Er wurde schon benutzt, oder seine Zeit ist um, oder er ging an eine andere Adresse. Fordern Sie einen anderen an.
link-ended-forgotten = Anderen Link senden
fault-busy = Von Ihrem Ort wurde zu viel versucht. Versuchen Sie es später erneut.
fault-wrong = Adresse und Passwort passen nicht zusammen, oder es gab zu viele Versuche. Prüfen Sie beides und versuchen Sie es in ein paar Minuten erneut, oder wählen Sie ein neues Passwort.
fault-password-short = Das ist zu kurz: ein Passwort hat mindestens { $least } Zeichen.
fault-password-long = Das ist zu lang.
fault-password-guessable = Das gehört zu den ersten, die andere probieren würden. Wählen Sie ein anderes Passwort.
fault-no-name = Geben Sie einen Namen mit höchstens 200 Zeichen ein.
fault-no-address = Das ist keine E-Mail-Adresse.
fault-address-taken = Ein anderes Konto hat diese Adresse. Melden Sie sich dort an, oder wählen Sie eine andere Adresse.
fault-last-general = Sie sind der letzte allgemeine Administrator Ihrer Organisation, der sich anmelden kann. Machen Sie zuerst jemand anderen dazu.
account-done-name = Gespeichert.
account-done-address = Ihre Adresse wurde geändert.
account-done-sessions = Alle anderen Sitzungen sind beendet.
account-session-seen = vor { $ago }
account-other = Wenn dies nicht das Konto ist, das Sie möchten, melden Sie sich ab und mit dem anderen an.
account-name-title = Name und Sprache
account-language = Sprache von E-Mails und Seiten
account-old-password = Bisheriges Passwort
account-change-password = Passwort ändern
account-address-of-work = Die Adresse eines Arbeitskontos ändern die Administratoren Ihrer Organisation.
account-address-about = Sie bekommen eine E-Mail an die neue Adresse. Nichts ändert sich, bevor Sie den Link darin öffnen. Die alte Adresse wird benachrichtigt.
account-new-address = Neue E-Mail-Adresse
account-sessions-title = Wo Sie angemeldet sind
account-session-source = Von
account-session-since = Seit
account-session-last = Zuletzt gesehen
account-session-this = diese Sitzung
account-end-sessions = Alle anderen Sitzungen beenden
account-data-title = Ihre Daten
account-data = Herunterladen, was über Sie gespeichert ist
account-delete = Konto löschen
account-delete-about = Das löscht das Konto von { $address }. Alle Sitzungen enden, und Ihre Geräte bekommen keine neuen Lizenzen.
account-delete-work = Ihre Lizenzen gehen sofort an Ihre Organisation zurück. Ihre Daten werden 30 Tage aufbewahrt. In dieser Zeit können Ihre Administratoren das Konto wiederherstellen, ohne Lizenzen und Passwort.
account-delete-personal = Ihre Daten werden 30 Tage aufbewahrt. In dieser Zeit kann der Hersteller das Konto wiederherstellen, ohne Passwort.
mail-share-subject = { $who } teilt { $what } mit Ihnen
mail-share-body =
    { $who } möchte { $what } mit Ihnen teilen. Öffnen Sie innerhalb von 14 Tagen diesen Link, und melden Sie sich mit einem persönlichen Konto an oder registrieren Sie sich:

    { $link }

    Wenn Sie das nicht erwarten, tun Sie nichts.
fault-no-key = Das ist kein Produktschlüssel. Suchen Sie nach einem falsch getippten Buchstaben oder einer falschen Ziffer.
fault-volume-key = Dieser Schlüssel ist für Rechner oder Hosts. Geben Sie ihn dort ein; er braucht kein Konto.
fault-key-unknown = Mit diesem Schlüssel beginnt kein Abonnement. Vergleichen Sie ihn mit dem, was Ihnen geschickt wurde.
fault-key-blocked = Der Hersteller hat diesen Schlüssel gesperrt. Fragen Sie, wo Sie ihn gekauft haben.
fault-key-redeemed = Jemand anders hat diesen Schlüssel eingelöst. Fragen Sie, wo Sie ihn gekauft haben.
fault-no-seat = Es ist kein Platz mehr frei, oder es wird in Ihrem Land nicht angeboten. Fragen Sie, wer es mit Ihnen teilt.
fault-has-it = Sie haben das schon.
fault-personal = Das ist für persönliche Konten. Melden Sie sich mit einem an, oder registrieren Sie sich.
own-title = Was Sie gekauft haben, und was mit Ihnen geteilt wird
own-none = Noch nichts. Mit einem Schlüssel, den Sie gekauft haben, beginnt ein Abonnement.
own-ends = Bezahlt bis { $day }
own-seats = { $taken } von { $seats } Plätzen vergeben
own-yours = Sie haben einen Platz.
own-shared = Jemand teilt das mit Ihnen.
own-people = Wer einen Platz hat
own-leave = Meinen Platz zurückgeben
own-remove = Den Platz von { $who } zurücknehmen
own-share-with = E-Mail-Adresse der Person, mit der Sie es teilen
own-share = Teilen
own-key-title = Schlüssel einlösen
own-key = Produktschlüssel
own-key-hint = 25 Buchstaben und Ziffern in Gruppen zu fünf. Ein Schlüssel für Rechner oder Hosts wird dort eingegeben, nicht hier.
own-redeem = Einlösen
own-done-redeemed = Das Abonnement hat begonnen.
own-done-again = Sie haben diesen Schlüssel schon eingelöst. Das kam dabei heraus.
own-done-ended = Der Platz ist frei.
shared-title = { $who } teilt { $what } mit Ihnen
shared-about = Mit dem Konto { $address } bekommen Sie einen Platz davon.
shared-accept = Annehmen
fault-no-location = Geben Sie Ihr Land mit zwei Buchstaben ein, etwa NL, DE oder FR.
