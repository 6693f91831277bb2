# What administrators see of their organisation.
tab-overview = Overzicht
tab-people = Personen
tab-licences = Licenties
tab-subscriptions = Abonnementen
tab-conflicts = Conflicten
tab-roles = Rollen
tab-keys = Volumesleutels
tab-audit = Wijzigingen
column-choose = Kiezen
column-name = Naam
column-address = E-mailadres
column-licences = Licenties
column-roles = Rollen
column-role = Rol
column-offer = Aanbod
column-bought = Gekocht
column-taken = Toegewezen
column-free = Vrij
column-served = Uitgevoerd
column-result = Resultaat
column-cause = Oorzaak en uitwegen
column-since = Toegewezen op
column-when = Wanneer
column-who = Wie
column-what = Wat
column-whom = Betreft
column-host = Host
column-activations = Activeringen
column-activated = Laatst geactiveerd of vernieuwd
column-certificate-ends = Certificaat eindigt uiterlijk
pool-over = (te veel)
overview-people = { $count ->
    [one] { $count } persoon
   *[other] { $count } personen
}
overview-unlicensed = { $count ->
    [one] { $count } persoon zonder licentie
   *[other] { $count } personen zonder licentie
}
overview-no-over = Conflicten zoeken
overview-over = { $count ->
    [one] Van { $count } aanbod zijn meer plaatsen toegewezen dan gekocht
   *[other] Van { $count } aanbiedingen zijn meer plaatsen toegewezen dan gekocht
}
overview-seats = Plaatsen
overview-nothing-bought = Er is nog niets gekocht.
overview-soon = Wat binnenkort eindigt of gestopt is
overview-nothing-soon = Er eindigt niets binnen 60 dagen.
error-nothing-bought = Er is nog niets gekocht. Koop eerst licenties; daarna kunnen personen worden beheerd.
roles-who = Wie een rol heeft
roles-what = Wat elke rol mag
roles-caption = Elke rij is een rol, elke kolom iets wat die rol mag.
roles-above = Alleen een algemeen beheerder mag een andere beheerder wijzigen of verwijderen of diens wachtwoord opnieuw instellen.
roles-last = { $name } is de enige algemeen beheerder. Geef nog iemand die rol, zodat de organisatie nooit zonder zit.
roles-title = Rollen van { $name }
act-assign = Licenties toewijzen
act-revoke = Licenties intrekken
act-buy = Kopen, verlengen, opzeggen
act-delete = Personen verwijderen
act-reset = Wachtwoorden opnieuw instellen
act-health = Conflicten zien
act-roles = Rollen geven
act-domains = Domeinen beheren
act-keys = Volumesleutels zien
keys-about = Deze sleutels activeren hosts en machines. Ze hebben geen account nodig. Vraag de leverancier als u er meer van nodig hebt.
keys-none = De organisatie heeft geen volumesleutels.
keys-last-group = Laatste groep
keys-used = Gebruikt
keys-ends = Eindigt
keys-no-end = nooit
keys-hosts = Hosts die met deze sleutel zijn geactiveerd
keys-of = { $used } van { $granted }
keys-hosts-used = { $used } van { $granted } hosts
keys-machines-used = { $used } van { $granted } machines
keys-revoked = ingetrokken op { $date }
keys-blocked = De leverancier heeft deze sleutel geblokkeerd.
audit-none = Er is nog niets gewijzigd.
audit-caption = De laatste eerst. Tijden zijn in UTC.
change-assign = Licenties toegewezen
change-replace = Licenties vervangen
change-take-back = Licenties ingetrokken
change-add-person = Persoon toegevoegd
change-edit-person = Persoon gewijzigd
change-set-roles = Rollen ingesteld
change-reset-password = Link voor een nieuw wachtwoord gemaild
change-set-password = Wachtwoord ingesteld
change-change-address = Adres gewijzigd
change-make-token-of-an-organisation = Token gemaakt
change-revoke-token-of-an-organisation = Token ingetrokken
change-block-person = Persoon geblokkeerd
change-unblock-person = Persoon weer toegelaten
change-delete-person = Persoon verwijderd
change-restore-person = Persoon hersteld
change-add-subscription = Abonnement toegevoegd
change-renew-subscription = Abonnement verlengd
change-set-seats = Aantal plaatsen ingesteld
change-cancel-subscription = Abonnement opgezegd
change-reactivate-subscription = Abonnement opnieuw geactiveerd
change-renew-automatically = Automatisch verlengen aan
change-do-not-renew-automatically = Automatisch verlengen uit
change-disable-subscription = Abonnement uitgeschakeld door de leverancier
change-enable-subscription = Abonnement ingeschakeld door de leverancier
