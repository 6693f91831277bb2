# Licenses for many people.
licences-many = Licenties van veel personen wijzigen
licences-list = E-mailadressen
licences-list-hint = Op elke regel één, of met komma's of spaties ertussen.
licences-file = Of een CSV-bestand
licences-file-hint = Het eerste adres van elke rij telt, in welke kolom ook. Hoogstens 100.000 rijen en 4 MB.
licences-how = Wat te doen
licences-add = Deze licenties toevoegen en de andere laten staan
licences-replace = Vervangen: deze geven, en alle andere die met de hand zijn toegewezen intrekken
licences-revoke = Deze licenties intrekken
licences-free = { $count ->
    [one] { $count } plaats vrij.
   *[other] { $count } plaatsen vrij.
}
licences-by-group = Een groep geeft deze; haal de persoon uit de groep om hem in te trekken.
licences-preview-first = Er wordt nog niets gewijzigd: de volgende pagina toont wat er met iedereen zou gebeuren.
licences-preview = Voorbeeld
licences-preview-csv = Voorbeeld als CSV
error-no-people = Vul minstens één adres in, of kies een bestand.
error-too-many-people = Hoogstens { $most } personen tegelijk.
error-no-offer = Kies minstens één aanbod.
preview-title = Wat er zou gebeuren
preview-done = Wat er is gedaan
preview-add = Toevoegen: { $offers }
preview-replace = Alle licenties vervangen door: { $offers }
preview-revoke = Intrekken: { $offers }
preview-counts = { $served } uitgevoerd, { $refused } geweigerd
preview-short = { $offer }: met { $missing } plaatsen meer is er genoeg voor iedereen.
preview-do-all = { $count ->
    [one] Uitvoeren voor deze persoon
   *[other] Uitvoeren voor alle { $count }
}
preview-do-some = { $count ->
    [one] Uitvoeren voor de ene bij wie het kan
   *[other] Uitvoeren voor de { $count } bij wie het kan
}
preview-caption = Wie geweigerd is staat bovenaan. Er worden { $shown } rijen getoond; het voorbeeld als CSV heeft ze allemaal.
row-no-address = Dit is geen e-mailadres.
row-unknown = Niemand in de organisatie heeft dit adres.
row-has = Heeft { $offers }
row-has-nothing = Heeft geen licentie
refused-not-bought = Geen abonnement geeft { $offer }.
refused-no-seat = Er is geen plaats van { $offer } meer.
refused-not-for-all = Er is niet genoeg voor iedereen op de lijst.
misfit-no-location = De gebruikslocatie is niet ingesteld.
misfit-not-there = { $service } wordt niet aangeboden in { $country }.
misfit-excludes = Niemand kan zowel { $one } als { $other } hebben.
misfit-requires = Voor { $service } is { $missing } nodig.
