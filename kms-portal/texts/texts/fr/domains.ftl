# Domaines : courriels aux administrateurs, et aux personnes qui n'en ont pas.
mail-domain-doubtful-subject = L'enregistrement de { $domain } manque
mail-domain-doubtful-body =
    L'enregistrement TXT qui montre que { $domain } appartient à votre organisation n'a pas été trouvé depuis deux semaines. Rien n'a encore changé. Rétablissez-le avant le { $date } : la page « Domaines » le montre.
mail-domain-lapsed-subject = La preuve de { $domain } a expiré
mail-domain-lapsed-body =
    L'enregistrement TXT qui montre que { $domain } appartient à votre organisation manque depuis une date antérieure au { $date } ; la preuve ne compte donc plus. Les administrateurs et les autres personnes gardent leurs comptes, mais plus personne ne peut rejoindre l'organisation par ce domaine. Pour le prouver de nouveau, ajoutez-le à la page « Domaines » : vous recevrez un nouvel enregistrement.
mail-domain-contested-subject = Une autre organisation a prouvé { $domain }
mail-domain-contested-body =
    Une autre organisation a publié un enregistrement qui montre que { $domain } est à elle. S'il est à vous, assurez-vous que votre enregistrement est publié : la page « Domaines » le montre. S'il n'est pas trouvé avant le { $date }, le domaine passe à l'autre organisation. Vos administrateurs et les autres personnes gardent leurs comptes.
mail-domain-moved-subject = { $domain } appartient maintenant à une autre organisation
mail-domain-moved-body =
    Une autre organisation a prouvé { $domain } le { $date }, et votre enregistrement n'a pas été trouvé. Vos administrateurs et les autres personnes gardent leurs comptes, mais plus personne ne peut rejoindre votre organisation par ce domaine.
mail-domain-taken-over-subject = Les comptes de { $domain } ont un administrateur
mail-domain-taken-over-body =
    { $administrator } a prouvé que { $domain } appartient à votre organisation et administre désormais ses comptes, y compris le vôtre. Votre compte reste comme vous l'avez réglé : nom, mot de passe, langue et appareils. Les administrateurs peuvent vous donner des licences et voient votre nom et votre adresse.
# Domains: pages.
tab-domains = Domaines
domains-about = L'organisation montre par un enregistrement TXT dans le DNS qu'un domaine est à elle. L'enregistrement doit rester : il est vérifié chaque semaine.
domains-none = L'organisation n'a pas encore de domaine.
domains-add = Ajouter un domaine
domains-domain = Domaine
domains-scope = Portée
scope-name = Ce nom seul
scope-tree = Ce nom et tous ceux en dessous
domains-look = Vérifier { $domain } maintenant
domains-remove = Retirer { $domain }
domains-looked = Dernière vérification à { $at }.
domains-next-look = Prochaine vérification à { $at }.
domains-waits = Publiez cet enregistrement. Il est cherché jusqu'au { $date }.
domains-ended = L'enregistrement n'a pas été trouvé à temps. Ajoutez de nouveau le domaine : vous recevrez un autre enregistrement.
domains-held = Prouvé le { $date }.
domains-doubtful = L'enregistrement manque. Rétablissez-le avant le { $date }, sinon la preuve expire.
domains-lapsed = La preuve a expiré. Ajoutez de nouveau le domaine : vous recevrez un autre enregistrement.
domains-contested = Une autre organisation a ce domaine. Elle peut le prouver de nouveau jusqu'au { $date } ; sinon il est à vous.
domains-moves = L'autre organisation n'a pas prouvé de nouveau le domaine. Il est à vous dès que votre enregistrement est retrouvé.
domains-to-staff = Deux organisations ont prouvé ce domaine. L'éditeur décide ; adressez-vous à lui.
done-domain-begun = Le domaine a été ajouté. Publiez son enregistrement.
done-domain-removed = Le domaine a été retiré.
record-name = Nom
record-type = Type
record-value = Valeur
looked-just-now = Cela vient d'être vérifié. Attendez dix secondes.
looked-unanswered = Aucun serveur de noms du domaine n'a répondu, donc rien n'a changé : { $faults }
looked-other = Il y a des enregistrements à ce nom, mais pas le bon : { $texts }
looked-twice = L'enregistrement est à { $name } : votre fournisseur ajoute le domaine lui-même. Saisissez le nom sans le domaine.
looked-missing = L'enregistrement n'a pas encore été trouvé. Les serveurs de noms peuvent prendre quelques minutes ; il sera cherché de nouveau automatiquement.
looked-found = L'enregistrement de { $domain } a été trouvé.
looked-gone = Il n'y a plus rien à vérifier.
domain-refused-no-domain = Ce n'est pas un domaine.
domain-refused-ending = Tout le monde enregistre des domaines en dessous, il n'est donc à personne seul.
domain-refused-provider = Un fournisseur donne à tous des noms sous ce domaine. Ajoutez le nom en dessous qui est à vous.
domain-refused-public-mail = Tout le monde peut avoir une boîte aux lettres à ce domaine, il n'est donc à personne seul.
domain-refused-no-mailbox = Il vous faut une boîte aux lettres à ce domaine que vous avez confirmée par un lien.
domain-refused-held = Une organisation a ce domaine. Demandez un compte à ses administrateurs.
domain-refused-has-licenses = Ce compte a des licences personnelles. Enregistrez-en un autre pour le travail.
domain-refused-too-many = L'organisation a 100 domaines. Retirez-en un, ou adressez-vous à l'éditeur.
domain-refused-taken = Un autre compte y a cette adresse.
become-title = Devenir administrateur
become-join = Votre compte est personnel. Si vous l'utilisez pour le travail, il peut rejoindre les autres comptes de { $domain }. Vous devenez leur administrateur en prouvant que le domaine appartient à votre organisation.
become-join-stays = Votre nom, votre mot de passe, votre langue et vos appareils restent tels quels. Un administrateur de { $domain } verra votre nom et votre adresse.
become-join-button = Utiliser mon compte pour le travail à { $domain }
become-prove = Les comptes de { $domain } n'ont pas d'administrateur. La première personne qui prouve que le domaine appartient à votre organisation devient leur administrateur.
become-record-button = Montrer l'enregistrement
become-publish = Publiez cet enregistrement dans le DNS de { $domain }, ou donnez-le à la personne qui le gère.
become-publish-hint = Vérifiez quand il est publié. Vous pouvez aussi revenir plus tard : il est cherché automatiquement pendant sept jours.
become-ask = Votre organisation a déjà des administrateurs. Adressez-vous à l'un d'eux.
become-people = { $count ->
    [one] Vous administrez { $count } compte : le vôtre.
   *[other] Vous administrez { $count } comptes, y compris le vôtre. Les autres personnes ont reçu un courriel.
}
become-who = Qui est ici
become-buy = Acheter des licences
become-buy-first = { $count ->
    [one] Achetez une licence pour { $count } personne. Tant que rien n'est acheté, vous voyez les personnes et n'administrez rien.
   *[other] Achetez des licences pour { $count } personnes. Tant que rien n'est acheté, vous voyez les personnes et n'administrez rien.
}
become-bought = Donnez à toutes les personnes présentes ce que vous avez acheté.
become-free = Places libres : { $count }
become-buy-offer = Acheter { $offer }
become-buy-ask = Adressez-vous à l'éditeur pour l'acheter.
become-license-button = Donner { $offer } à tous
become-licensed = Ont maintenant une licence : { $served }. Sans licence : { $refused } ; la page « Licences » dit pourquoi, par exemple un lieu manquant.
