# Licenses for many people.
licences-many = Modifier les licences de nombreuses personnes
licences-list = Adresses e-mail
licences-list-hint = Une par ligne, ou séparées par des virgules ou des espaces.
licences-file = Ou un fichier CSV
licences-file-hint = La première adresse de chaque ligne compte, quelle que soit la colonne. Au plus 100 000 lignes et 4 Mo.
licences-how = Que faire
licences-add = Ajouter ces licences et laisser les autres
licences-replace = Remplacer : donner celles-ci et retirer toutes les autres attribuées à la main
licences-revoke = Retirer ces licences
licences-free = { $count ->
    [one] { $count } place libre.
   *[other] { $count } places libres.
}
licences-by-group = Un groupe la donne ; pour la retirer, retirez la personne du groupe.
licences-preview-first = Rien n'est encore modifié : la page suivante montre ce qui arriverait à chacun.
licences-preview = Aperçu
licences-preview-csv = Aperçu en CSV
error-no-people = Saisissez au moins une adresse, ou choisissez un fichier.
error-too-many-people = Au plus { $most } personnes à la fois.
error-no-offer = Choisissez au moins une offre.
preview-title = Ce qui arriverait
preview-done = Ce qui a été fait
preview-add = Ajouter : { $offers }
preview-replace = Remplacer toutes les licences par : { $offers }
preview-revoke = Retirer : { $offers }
preview-counts = { $served } effectuées, { $refused } refusées
preview-short = { $offer } : { $missing } places de plus suffiraient pour tous.
preview-do-all = { $count ->
    [one] Le faire pour cette personne
   *[other] Le faire pour les { $count }
}
preview-do-some = { $count ->
    [one] Le faire pour la personne qui peut l'être
   *[other] Le faire pour les { $count } qui peuvent l'être
}
preview-caption = Les refus sont en tête. { $shown } lignes sont affichées ; l'aperçu en CSV les contient toutes.
row-no-address = Ce n'est pas une adresse e-mail.
row-unknown = Personne dans l'organisation n'a cette adresse.
row-has = A { $offers }
row-has-nothing = N'a pas de licence
refused-not-bought = Aucun abonnement ne donne { $offer }.
refused-no-seat = Il ne reste aucune place de { $offer }.
refused-not-for-all = Il n'y en a pas assez pour tous ceux de la liste.
misfit-no-location = Le lieu d'utilisation n'est pas défini.
misfit-not-there = { $service } n'est pas proposé en { $country }.
misfit-excludes = Personne ne peut avoir à la fois { $one } et { $other }.
misfit-requires = { $service } nécessite { $missing }.
