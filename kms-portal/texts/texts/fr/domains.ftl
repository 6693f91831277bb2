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
