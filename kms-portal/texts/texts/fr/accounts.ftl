# Courriels sur les comptes.
mail-register-subject = Confirmez votre adresse
mail-register-body =
    Quelqu’un veut inscrire { $address } pour un compte. Si c’était vous, ouvrez ce lien dans la journée et choisissez un mot de passe :

    { $link }

    Si ce n’était pas vous, ne faites rien. Aucun compte n’est créé sans ce lien.
mail-registered-subject = Vous avez déjà un compte
mail-registered-body =
    Quelqu’un veut inscrire { $address }, qui a déjà un compte personnel. Si c’était vous et que vous avez oublié le mot de passe, ouvrez ce lien dans l’heure et choisissez-en un autre :

    { $link }

    Si ce n’était pas vous, ne faites rien. Votre mot de passe reste le même.
mail-forgotten-subject = Choisissez un nouveau mot de passe
mail-forgotten-body =
    Quelqu’un a demandé un nouveau mot de passe pour le compte personnel de { $address }. Vous vous connectez avec cette adresse. Ouvrez ce lien dans l’heure et choisissez un nouveau mot de passe :

    { $link }

    Si ce n’était pas vous, ne faites rien. Votre mot de passe reste le même.
mail-forgotten-work-subject = Choisissez un nouveau mot de passe pour { $organisation }
mail-forgotten-work-body =
    Quelqu’un a demandé un nouveau mot de passe pour le compte professionnel de { $address } chez { $organisation }. Vous vous connectez avec cette adresse. Ouvrez ce lien dans l’heure et choisissez un nouveau mot de passe :

    { $link }

    Si ce n’était pas vous, ne faites rien. Votre mot de passe reste le même.
mail-no-account-subject = Aucun compte n’a cette adresse
mail-no-account-body =
    Quelqu’un a demandé un nouveau mot de passe pour { $address }, mais aucun compte n’a cette adresse. Vous vous êtes peut-être inscrit avec une autre. Si vous voulez un compte avec cette adresse, ouvrez ce lien dans la journée :

    { $link }

    Si ce n’était pas vous, ne faites rien.
mail-invite-subject = { $organisation } vous invite
mail-invite-body =
    { $organisation } a créé un compte professionnel pour { $address }. Ouvrez ce lien dans les 14 jours et choisissez un mot de passe :

    { $link }

    Si vous ne vous y attendez pas, ne faites rien, ou demandez aux administrateurs de { $organisation }.
mail-reset-subject = Choisissez un nouveau mot de passe pour { $organisation }
mail-reset-body =
    Un administrateur de { $organisation } vous demande de choisir un nouveau mot de passe pour { $address }. Ouvrez ce lien dans la journée :

    { $link }

    D’ici là, votre ancien mot de passe reste valable.
mail-address-subject = Confirmez votre nouvelle adresse
mail-address-body =
    Quelqu’un veut utiliser désormais { $address } pour un compte. Si c’était vous, ouvrez ce lien dans la journée :

    { $link }

    Si ce n’était pas vous, ne faites rien.
mail-address-changed-subject = Votre adresse a été changée
mail-address-changed-body =
    Votre compte a désormais une autre adresse : { $address }. Vous vous connectez avec elle. Si ce n’était pas vous, dites-le tout de suite à l’éditeur.
mail-password-set-subject = Votre mot de passe a été défini
mail-password-set-body =
    Le mot de passe de { $address } vient d’être défini, et toutes les autres sessions ont pris fin. Si ce n’était pas vous, demandez tout de suite un nouveau mot de passe sur la page de connexion.
mail-deactivated-subject = Votre compte a été supprimé
mail-deactivated-body =
    Le compte de { $address } a été supprimé, comme vous l’avez demandé. Vos données sont gardées 30 jours. Pour les retrouver pendant ce temps, demandez à vos administrateurs, ou à l’éditeur si c’était un compte personnel.
# Pages des comptes.
accounts-address = Adresse électronique
accounts-password = Mot de passe
accounts-personal = Compte personnel
accounts-work = Compte professionnel chez { $organisation }
sign-in-again = Avant de continuer, montrez encore une fois que vous êtes { $address }. Ce ne sera plus nécessaire pendant 15 minutes.
sign-in-wrong = L’adresse et le mot de passe ne vont pas ensemble, ou il y a eu trop d’essais. Vérifiez les deux et réessayez dans quelques minutes, ou choisissez un nouveau mot de passe.
sign-in-busy = Trop de mots de passe faux sont venus de là où vous êtes. Réessayez plus tard.
sign-in-register = S’inscrire pour un compte personnel
sign-in-forgotten = Nom ou mot de passe oublié ?
sign-in-password-set = Votre mot de passe a été défini. Connectez-vous avec lui.
sign-in-registered = Votre compte a été créé. Connectez-vous.
sign-in-deleted = Votre compte a été supprimé.
sign-in-signed-out = Vous êtes déconnecté.
choose-title = Quel compte ?
choose-about = Cette adresse et ce mot de passe appartiennent à plusieurs comptes.
