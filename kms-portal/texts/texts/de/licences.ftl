# Licenses for many people.
licences-many = Lizenzen vieler Personen ändern
licences-list = E-Mail-Adressen
licences-list-hint = Eine je Zeile, oder mit Kommas oder Leerzeichen dazwischen.
licences-file = Oder eine CSV-Datei
licences-file-hint = Die erste Adresse jeder Zeile zählt, in welcher Spalte auch immer. Höchstens 100.000 Zeilen und 4 MB.
licences-how = Was zu tun ist
licences-add = Diese Lizenzen hinzufügen und die anderen lassen
licences-replace = Ersetzen: diese geben und alle anderen, die von Hand zugewiesen wurden, entziehen
licences-revoke = Diese Lizenzen entziehen
licences-free = { $count ->
    [one] { $count } Platz frei.
   *[other] { $count } Plätze frei.
}
licences-by-group = Eine Gruppe gibt sie; um sie zu entziehen, nehmen Sie die Person aus der Gruppe.
licences-preview-first = Noch wird nichts geändert: Die nächste Seite zeigt, was mit jedem geschehen würde.
licences-preview = Vorschau
licences-preview-csv = Vorschau als CSV
error-no-people = Geben Sie mindestens eine Adresse ein, oder wählen Sie eine Datei.
error-too-many-people = Höchstens { $most } Personen auf einmal.
error-no-offer = Wählen Sie mindestens ein Angebot.
preview-title = Was geschehen würde
preview-done = Was getan wurde
preview-add = Hinzufügen: { $offers }
preview-replace = Alle Lizenzen ersetzen durch: { $offers }
preview-revoke = Entziehen: { $offers }
preview-counts = { $served } ausgeführt, { $refused } abgelehnt
preview-short = { $offer }: Mit { $missing } weiteren Plätzen reicht es für alle.
preview-do-all = { $count ->
    [one] Für diese Person ausführen
   *[other] Für alle { $count } ausführen
}
preview-do-some = { $count ->
    [one] Für die eine Person ausführen, bei der es geht
   *[other] Für die { $count } ausführen, bei denen es geht
}
preview-caption = Abgelehnte stehen oben. { $shown } Zeilen werden gezeigt; die Vorschau als CSV hat alle.
row-no-address = Das ist keine E-Mail-Adresse.
row-unknown = Niemand in der Organisation hat diese Adresse.
row-has = Hat { $offers }
row-has-nothing = Hat keine Lizenz
refused-not-bought = Kein Abonnement gibt { $offer }.
refused-no-seat = Von { $offer } ist kein Platz mehr frei.
refused-not-for-all = Es reicht nicht für alle auf der Liste.
misfit-no-location = Der Nutzungsort ist nicht angegeben.
misfit-not-there = { $service } wird in { $country } nicht angeboten.
misfit-excludes = Niemand kann { $one } und { $other } zugleich haben.
misfit-requires = { $service } braucht { $missing }.
