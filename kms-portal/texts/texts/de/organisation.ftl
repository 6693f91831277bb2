# What administrators see of their organisation.
tab-overview = Übersicht
tab-people = Personen
tab-licences = Lizenzen
tab-subscriptions = Abonnements
tab-conflicts = Konflikte
tab-roles = Rollen
tab-keys = Volumenschlüssel
tab-audit = Änderungen
column-choose = Auswählen
column-name = Name
column-address = E-Mail-Adresse
column-licences = Lizenzen
column-roles = Rollen
column-role = Rolle
column-offer = Angebot
column-bought = Gekauft
column-taken = Zugewiesen
column-free = Frei
column-served = Ausgeführt
column-result = Ergebnis
column-cause = Ursache und Auswege
column-since = Zugewiesen am
column-when = Wann
column-who = Wer
column-what = Was
column-whom = Betrifft
column-host = Host
column-activations = Aktivierungen
column-activated = Zuletzt aktiviert oder erneuert
column-certificate-ends = Zertifikat endet spätestens
pool-over = (zu viele)
overview-people = { $count ->
    [one] { $count } Person
   *[other] { $count } Personen
}
overview-unlicensed = { $count ->
    [one] { $count } Person ohne Lizenz
   *[other] { $count } Personen ohne Lizenz
}
overview-no-over = Konflikte suchen
overview-over = { $count ->
    [one] Bei { $count } Angebot sind mehr Plätze zugewiesen als gekauft
   *[other] Bei { $count } Angeboten sind mehr Plätze zugewiesen als gekauft
}
overview-seats = Plätze
overview-nothing-bought = Es wurde noch nichts gekauft.
overview-soon = Was bald endet oder nicht mehr läuft
overview-nothing-soon = In den nächsten 60 Tagen endet nichts.
error-nothing-bought = Es wurde noch nichts gekauft. Kaufen Sie zuerst Lizenzen; danach können Personen verwaltet werden.
roles-who = Wer eine Rolle hat
roles-what = Was jede Rolle darf
roles-caption = Jede Zeile ist eine Rolle, jede Spalte etwas, das sie darf.
roles-above = Nur ein allgemeiner Administrator darf einen anderen Administrator ändern oder löschen oder dessen Kennwort zurücksetzen.
roles-last = { $name } ist der einzige allgemeine Administrator. Geben Sie noch jemandem diese Rolle, damit die Organisation nie ohne ist.
roles-title = Rollen von { $name }
act-assign = Lizenzen zuweisen
act-revoke = Lizenzen entziehen
act-buy = Kaufen, verlängern, kündigen
act-delete = Personen löschen
act-reset = Kennwörter zurücksetzen
act-health = Konflikte sehen
act-roles = Rollen vergeben
act-domains = Domänen verwalten
act-keys = Volumenschlüssel sehen
keys-about = Diese Schlüssel aktivieren Hosts und Geräte. Sie brauchen kein Konto. Wenn Sie mehr brauchen, fragen Sie den Hersteller.
keys-none = Die Organisation hat keine Volumenschlüssel.
keys-last-group = Letzte Gruppe
keys-used = Verwendet
keys-ends = Endet
keys-no-end = nie
keys-hosts = Hosts, die dieser Schlüssel aktiviert hat
keys-of = { $used } von { $granted }
keys-hosts-used = { $used } von { $granted } Hosts
keys-machines-used = { $used } von { $granted } Geräten
keys-revoked = widerrufen am { $date }
keys-blocked = Der Hersteller hat diesen Schlüssel gesperrt.
audit-none = Es wurde noch nichts geändert.
audit-caption = Die neuesten zuerst. Zeiten in UTC.
change-assign = Lizenzen zugewiesen
change-replace = Lizenzen ersetzt
change-take-back = Lizenzen entzogen
change-add-person = Person hinzugefügt
change-edit-person = Person geändert
change-set-roles = Rollen festgelegt
change-reset-password = Link für ein neues Kennwort gesendet
change-set-password = Kennwort festgelegt
change-change-address = Adresse geändert
change-make-token-of-an-organisation = Token erstellt
change-revoke-token-of-an-organisation = Token entzogen
change-block-person = Person gesperrt
change-unblock-person = Person wieder zugelassen
change-delete-person = Person gelöscht
change-restore-person = Person wiederhergestellt
change-add-subscription = Abonnement hinzugefügt
change-renew-subscription = Abonnement verlängert
change-set-seats = Anzahl der Plätze festgelegt
change-cancel-subscription = Abonnement gekündigt
change-reactivate-subscription = Abonnement reaktiviert
change-renew-automatically = Automatische Verlängerung ein
change-do-not-renew-automatically = Automatische Verlängerung aus
change-disable-subscription = Abonnement vom Hersteller deaktiviert
change-enable-subscription = Abonnement vom Hersteller aktiviert
