# What administrators see of their organisation.
tab-overview = Vue d'ensemble
tab-people = Personnes
tab-licences = Licences
tab-subscriptions = Abonnements
tab-conflicts = Conflits
tab-roles = Rôles
tab-keys = Clés en volume
tab-audit = Modifications
column-choose = Choisir
column-name = Nom
column-address = Adresse e-mail
column-licences = Licences
column-roles = Rôles
column-role = Rôle
column-offer = Offre
column-bought = Achetées
column-taken = Attribuées
column-free = Libres
column-served = Effectué
column-result = Résultat
column-cause = Cause et solutions
column-since = Attribuée le
column-when = Quand
column-who = Qui
column-what = Quoi
column-whom = Concerne
column-host = Hôte
column-activations = Activations
column-activated = Dernière activation ou dernier renouvellement
column-certificate-ends = Le certificat expire au plus tard
pool-over = (trop)
overview-people = { $count ->
    [one] { $count } personne
   *[other] { $count } personnes
}
overview-unlicensed = { $count ->
    [one] { $count } personne sans licence
   *[other] { $count } personnes sans licence
}
overview-no-over = Chercher des conflits
overview-over = { $count ->
    [one] { $count } offre a plus de places attribuées qu'achetées
   *[other] { $count } offres ont plus de places attribuées qu'achetées
}
overview-seats = Places
overview-nothing-bought = Rien n'a encore été acheté.
overview-soon = Ce qui se termine bientôt ou s'est arrêté
overview-nothing-soon = Rien ne se termine dans les 60 jours.
error-nothing-bought = Rien n'a encore été acheté. Achetez d'abord des licences ; les personnes pourront ensuite être gérées.
roles-who = Qui a un rôle
roles-what = Ce que chaque rôle permet
roles-caption = Chaque ligne est un rôle, chaque colonne une action qu'il permet.
roles-above = Seul un administrateur général peut modifier ou supprimer un autre administrateur, ou réinitialiser son mot de passe.
roles-last = { $name } est le seul administrateur général. Donnez aussi ce rôle à une autre personne, pour que l'organisation n'en manque jamais.
roles-title = Rôles de { $name }
act-assign = Attribuer des licences
act-revoke = Retirer des licences
act-buy = Acheter, renouveler, résilier
act-delete = Supprimer des personnes
act-reset = Réinitialiser des mots de passe
act-health = Voir les conflits
act-roles = Donner des rôles
act-domains = Gérer les domaines
act-keys = Voir les clés en volume
keys-about = Ces clés activent des hôtes et des machines. Elles n'ont pas besoin de compte. S'il vous en faut davantage, demandez à l'éditeur.
keys-none = L'organisation n'a pas de clés en volume.
keys-last-group = Dernier groupe
keys-used = Utilisé
keys-ends = Fin
keys-no-end = jamais
keys-hosts = Hôtes activés par cette clé
keys-of = { $used } sur { $granted }
keys-hosts-used = { $used } hôtes sur { $granted }
keys-machines-used = { $used } machines sur { $granted }
keys-revoked = révoqué le { $date }
keys-blocked = L'éditeur a bloqué cette clé.
audit-none = Rien n'a encore été modifié.
audit-caption = Les plus récentes d'abord. Les heures sont en UTC.
change-assign = Licences attribuées
change-replace = Licences remplacées
change-take-back = Licences retirées
change-add-person = Personne ajoutée
change-edit-person = Personne modifiée
change-set-roles = Rôles définis
change-reset-password = Lien pour un nouveau mot de passe envoyé
change-set-password = Mot de passe défini
change-change-address = Adresse modifiée
change-make-token-of-an-organisation = Jeton créé
change-revoke-token-of-an-organisation = Jeton retiré
change-block-person = Personne bloquée
change-unblock-person = Personne à nouveau admise
change-delete-person = Personne supprimée
change-restore-person = Personne restaurée
change-add-subscription = Abonnement ajouté
change-renew-subscription = Abonnement renouvelé
change-set-seats = Nombre de places défini
change-cancel-subscription = Abonnement résilié
change-reactivate-subscription = Abonnement réactivé
change-renew-automatically = Renouvellement automatique activé
change-do-not-renew-automatically = Renouvellement automatique désactivé
change-disable-subscription = Abonnement désactivé par l'éditeur
change-enable-subscription = Abonnement activé par l'éditeur
