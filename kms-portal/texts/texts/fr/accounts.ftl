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
sign-in-register = S’inscrire pour un compte personnel
sign-in-forgotten = Nom ou mot de passe oublié ?
sign-in-password-set = Votre mot de passe a été défini. Connectez-vous avec lui.
sign-in-registered = Votre compte a été créé. Connectez-vous.
sign-in-deleted = Votre compte a été supprimé.
sign-in-signed-out = Vous êtes déconnecté.
choose-title = Quel compte ?
choose-about = Cette adresse et ce mot de passe appartiennent à plusieurs comptes.
accounts-name = Nom
accounts-location = Pays où vous l’utilisez
accounts-location-hint = Deux lettres, comme NL, DE ou FR. Certains services ne sont pas proposés dans certains pays.
accounts-new-password = Nouveau mot de passe
accounts-password-hint = Au moins { $least } caractères. Une phrase vaut mieux qu’un mot court avec des chiffres.
accounts-mail-me = Envoyer le courriel
register-title = S’inscrire pour un compte personnel
register-about = Saisissez votre adresse électronique. Vous recevez un courriel avec un lien pour choisir un mot de passe. Pour un compte professionnel, adressez-vous aux administrateurs de votre organisation. Les clés en volume ne demandent pas de compte.
forgotten-title = Nom ou mot de passe oublié
forgotten-about = Vous vous connectez avec une adresse électronique. Saisissez-la, et vous recevez un courriel pour chaque compte qui a cette adresse, avec un lien pour choisir un nouveau mot de passe. Si aucun compte ne l’a, le courriel le dit. Dans une organisation, un administrateur peut retrouver votre adresse.
mailed-title = Regardez vos courriels
mailed-about = Un courriel est en route vers { $address }. Ouvrez le lien qu’il contient. Si rien n’arrive, regardez dans le courrier indésirable, ou réessayez dans une heure.
link-register-title = Créez votre compte
link-register-about = Cela crée un compte personnel pour { $address }.
link-register-button = Créer le compte
link-invite-title = Choisissez un mot de passe
link-invite-about = Avec lui, vous vous connectez en tant que { $address }.
link-invite-button = Définir le mot de passe
link-reset-title = Choisissez un nouveau mot de passe
link-reset-about = Il est pour { $address }. Toutes les sessions de ce compte prennent fin.
link-reset-button = Définir le mot de passe
link-address-title = Confirmez votre nouvelle adresse
link-address-about = Désormais, vous vous connectez en tant que { $address }.
link-address-button = Utiliser cette adresse
link-ended-title = Ce lien ne fonctionne plus
link-ended = Il a déjà servi, ou son délai est passé, ou il a été envoyé à une autre adresse. Demandez-en un autre.
link-ended-forgotten = Envoyer un autre lien
fault-busy = Trop d’essais sont venus de là où vous êtes. Réessayez plus tard.
fault-wrong = L’adresse et le mot de passe ne vont pas ensemble, ou il y a eu trop d’essais. Vérifiez les deux et réessayez dans quelques minutes, ou choisissez un nouveau mot de passe.
fault-password-short = C’est trop court : un mot de passe a au moins { $least } caractères.
fault-password-long = C’est trop long.
fault-password-guessable = C’est l’un des premiers que d’autres essaieraient. Choisissez un autre mot de passe.
fault-no-name = Saisissez un nom de 200 caractères au plus.
fault-no-address = Ce n’est pas une adresse électronique.
fault-address-taken = Un autre compte a cette adresse. Connectez-vous avec lui, ou choisissez une autre adresse.
fault-last-general = Vous êtes le dernier administrateur général de votre organisation qui peut se connecter. Nommez-en d’abord un autre.
account-done-name = Enregistré.
account-done-address = Votre adresse a été changée.
account-done-sessions = Toutes les autres sessions ont pris fin.
account-session-seen = il y a { $ago }
account-other = Si ce n’est pas le compte que vous voulez, déconnectez-vous et connectez-vous avec l’autre.
account-name-title = Nom et langue
account-language = Langue des courriels et des pages
account-old-password = Mot de passe actuel
account-change-password = Changer le mot de passe
account-address-of-work = Les administrateurs de votre organisation changent l’adresse d’un compte professionnel.
account-address-about = Vous recevez un courriel à la nouvelle adresse. Rien ne change avant que vous n’ouvriez le lien qu’il contient. L’ancienne adresse est prévenue.
account-new-address = Nouvelle adresse électronique
account-sessions-title = Où vous êtes connecté
account-session-source = Depuis
account-session-since = Début
account-session-last = Dernière activité
account-session-this = cette session
account-end-sessions = Mettre fin à toutes les autres sessions
account-data-title = Vos données
account-data = Télécharger ce qui est gardé sur vous
account-delete = Supprimer le compte
account-delete-about = Cela supprime le compte de { $address }. Toutes les sessions prennent fin, et vos appareils ne reçoivent plus de licences.
account-delete-work = Vos licences reviennent aussitôt à votre organisation. Vos données sont gardées 30 jours. Pendant ce temps, vos administrateurs peuvent rétablir le compte, sans licences ni mot de passe.
account-delete-personal = Vos données sont gardées 30 jours. Pendant ce temps, l’éditeur peut rétablir le compte, sans mot de passe.
mail-share-subject = { $who } partage { $what } avec vous
mail-share-body =
    { $who } veut partager { $what } avec vous. Ouvrez ce lien dans les 14 jours, et connectez-vous avec un compte personnel ou inscrivez-vous :

    { $link }

    Si vous ne vous y attendez pas, ne faites rien.
fault-no-key = Ce n’est pas une clé de produit. Cherchez une lettre ou un chiffre mal saisi.
fault-volume-key = Cette clé est pour des machines ou des hôtes. Saisissez-la là-bas ; elle ne demande pas de compte.
fault-key-unknown = Aucun abonnement ne commence avec cette clé. Comparez-la avec ce qui vous a été envoyé.
fault-key-blocked = L’éditeur a bloqué cette clé. Demandez là où vous l’avez achetée.
fault-key-redeemed = Quelqu’un d’autre a utilisé cette clé. Demandez là où vous l’avez achetée.
fault-no-seat = Plus aucune place n’est libre, ou ce n’est pas proposé dans votre pays. Demandez à la personne qui le partage avec vous.
fault-has-it = Vous l’avez déjà.
fault-personal = C’est pour les comptes personnels. Connectez-vous avec un tel compte, ou inscrivez-vous.
own-title = Ce que vous avez acheté, et ce qui est partagé avec vous
own-none = Rien pour le moment. Une clé que vous avez achetée commence un abonnement.
own-ends = Payé jusqu’au { $day }
own-seats = { $taken } places prises sur { $seats }
own-yours = Vous avez une place.
own-shared = Quelqu’un partage ceci avec vous.
own-people = Qui a une place
own-leave = Rendre ma place
own-remove = Reprendre la place de { $who }
own-share-with = Adresse électronique de la personne avec qui vous le partagez
own-share = Partager
own-key-title = Utiliser une clé
own-key = Clé de produit
own-key-hint = 25 lettres et chiffres en groupes de cinq. Une clé pour des machines ou des hôtes se saisit là-bas, pas ici.
own-redeem = Utiliser
own-done-redeemed = L’abonnement a commencé.
own-done-again = Vous avez déjà utilisé cette clé. Voici ce qu’elle a donné.
own-done-ended = La place est libre.
shared-title = { $who } partage { $what } avec vous
shared-about = Avec le compte { $address }, vous en recevez une place.
shared-accept = Accepter
fault-no-location = Saisissez votre pays en deux lettres, comme NL, DE ou FR.
