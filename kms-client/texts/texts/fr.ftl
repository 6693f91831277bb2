# Français.

date = { $day ->
    [1] 1er
   *[other] { $day }
} { $month ->
    [1] janvier
    [2] février
    [3] mars
    [4] avril
    [5] mai
    [6] juin
    [7] juillet
    [8] août
    [9] septembre
    [10] octobre
    [11] novembre
   *[12] décembre
} { $year }
length = { $unit ->
    [days] { $count ->
        [one] { $count } jour
       *[other] { $count } jours
    }
    [hours] { $count ->
        [one] { $count } heure
       *[other] { $count } heures
    }
   *[minutes] { $count ->
        [one] { $count } minute
       *[other] { $count } minutes
    }
}

license-in-grace = Ce logiciel n’est pas encore activé. Il s’activera de lui-même d’ici le { $until } ; vous n’avez rien à faire.
license-licensed = Licence valable jusqu’au { $until }. Elle se renouvelle d’elle-même.
license-renewal-overdue = Licence valable jusqu’au { $until }. Elle aurait dû être renouvelée le { $since } ; le logiciel continue d’essayer.
license-expiring-soon = La licence expire le { $until }. Connectez cet ordinateur au réseau de votre organisation pour qu’elle puisse être renouvelée.
license-lapsed = La licence a expiré le { $since }. Le logiciel continue de fonctionner. Connectez cet ordinateur au réseau de votre organisation pour la renouveler.
license-never-activated = Ce logiciel aurait dû être activé avant le { $since }. Il continue de fonctionner. Connectez cet ordinateur au réseau de votre organisation pour l’activer.
license-clock-wrong = L’horloge de cet ordinateur { $direction ->
    [ahead] avance
   *[behind] retarde
} de { $by }. Mettez-la à l’heure ; la licence pourra alors être renouvelée.{ $until ->
    [none] {""}
   *[other] {" "}Le logiciel est sous licence jusqu’au { $until }.
}
license-without-end = Licence sans date de fin.
license-key-entered = Une clé de produit a été saisie, et ce logiciel n’est pas encore activé avec elle. Connectez-vous à Internet et activez-le ; d’ici là, le logiciel fonctionne.
license-by-key = Licence valable jusqu’au { $until } par une clé de produit.
license-key-ends-soon = La clé de produit prend fin le { $until }. Demandez au vendeur une durée plus longue ou une nouvelle clé.
license-key-ended = La clé de produit a pris fin le { $since }. Le logiciel continue de fonctionner. Demandez au vendeur une durée plus longue ou une nouvelle clé.
license-key-revoked = L’éditeur a retiré la licence de cette clé de produit le { $since }. Le logiciel continue de fonctionner. Demandez au vendeur : cet ordinateur n’est pas en cause.
license-by-account = Licence valable jusqu’au { $until } par le compte connecté. Elle se renouvelle d’elle-même.
license-account-ends-soon = La licence du compte connecté prend fin le { $until }. Connectez-vous à Internet pour qu’elle soit renouvelée, ou identifiez-vous de nouveau.
license-account-ended = La licence du compte connecté a pris fin le { $since }. Le logiciel continue de fonctionner. Connectez-vous à Internet, ou identifiez-vous de nouveau.
license-hardware-changed = Le matériel de cet ordinateur a changé ; cela a été constaté le { $since }. Connectez-vous à Internet, et le logiciel activera de nouveau sa clé de produit. Il continue de fonctionner.

# L’assistant, dans une fenêtre ou un terminal.
wizard-enter-key = Saisissez la clé de produit : cinq groupes de cinq caractères.
wizard-now-or-later = La clé de produit { $key } est conservée sur cet ordinateur. L’activer maintenant, ou plus tard ?
wizard-way = Comment voulez-vous activer ?
wizard-working = Un instant, s’il vous plaît.
wizard-no-connection = Il n’y a pas de connexion avec l’éditeur. La clé de produit reste sur cet ordinateur.
wizard-failed = L’activation n’a pas réussi. La clé de produit reste sur cet ordinateur.
wizard-country = De quel pays appelez-vous ?
wizard-region = De quelle partie du pays appelez-vous ?
wizard-numbers = Appelez l’un de ces numéros, et laissez ceci ouvert.
wizard-installation-id = Lisez ce code d’installation à l’éditeur, groupe par groupe.
wizard-confirmation = Saisissez le code de confirmation qui vous est lu, un ou plusieurs groupes à la fois.
wizard-licensed = Ce logiciel est activé.
wizard-later = La clé de produit reste sur cet ordinateur. Le logiciel demandera de nouveau à son prochain démarrage.
wizard-key-before = D’ici là, la clé de produit { $before } reste active.
wizard-key-replaced = L’éditeur compte encore cet ordinateur pour la clé de produit { $before } aussi.
wizard-give-back = Pour rendre cette place : { $command }
wizard-choose-now = Activer maintenant
wizard-choose-later = Activer plus tard
wizard-choose-internet = Par internet
wizard-choose-telephone = Par téléphone
wizard-choose-retry = Réessayer
wizard-choose-other-key = Saisir une autre clé de produit
wizard-choose-continue = Continuer
wizard-choose-back = Retour
wizard-number = Téléphone : { $number }
wizard-text-telephone = Téléphone textuel : { $number }
wizard-region-of-number = Région : { $region }
wizard-hours = Horaires : { $hours }
wizard-languages = Langues : { $languages }
wizard-letters = Le même pour un clavier :
wizard-leave = Quitter
wizard-empty-goes-back = Une ligne vide revient en arrière.
wizard-empty-leaves = Une ligne vide quitte.
wizard-proposed = Une ligne vide choisit : { $country }.
wizard-not-offered = Saisissez un nombre de 0 à { $last }.
wizard-groups-wrong = Groupes faux : { $groups }. Cette ligne n’a pas été prise : saisissez-la de nouveau, à partir du groupe { $next }.
wizard-groups-right = Juste jusqu’ici. Continuez avec le groupe { $next } sur { $all }.
wizard-left = Rien n’est perdu. La prochaine fois, cela continuera ici.

fault-nobody = Personne n’a rien à faire.
fault-machine = L’administrateur de cet ordinateur peut y remédier.
fault-host = L’administrateur du serveur d’activation peut y remédier.
fault-network = L’administrateur du réseau peut y remédier.
fault-vendor = L’éditeur de ce logiciel peut y remédier.

unknown = L’activation a échoué pour une raison que cette version ne connaît pas : { $code }
    .remedy = Mettez ce logiciel à jour.
unsigned = { $text } (sans signature, de { $by })

# Où le logiciel cherche un serveur.
no-host-known = Aucun serveur d’activation n’est configuré, et cet ordinateur n’a pas de domaine DNS où en chercher un.
    .remedy = Indiquez un serveur avec `kms-client host set NOM`, ou donnez à l’ordinateur un domaine DNS ou une liste de recherche.
dns-no-record = Le DNS ne connaît aucun serveur d’activation : { $name } n’a pas d’enregistrement SRV.
    .remedy = Publiez sous ce nom un enregistrement SRV qui désigne le serveur, ou indiquez un serveur sur cet ordinateur.
dns-failed = Le DNS n’a pas répondu pour { $name } : { $cause }.
    .remedy = Vérifiez le serveur DNS de cet ordinateur ; rien ne dit que le nom manque, personne n’a répondu.
dns-not-offered = Selon le DNS, { $name } n’a pas de serveur d’activation : l’enregistrement a pour cible `.`.
    .remedy = Remplacez-le par un enregistrement SRV qui désigne le serveur, ou indiquez un serveur sur cet ordinateur.
dns-port-zero = L’enregistrement SRV { $name } donne le port 0 pour { $target }, où personne ne peut être joint.
    .remedy = Corrigez l’enregistrement : son port est celui sur lequel le serveur écoute.
dns-target-bad = Un enregistrement SRV a pour cible { $target }, qui n’est pas un nom de serveur : { $cause }.
    .remedy = Corrigez l’enregistrement : sa cible est le nom complet d’un serveur, comme `host.corp.example.`, et ce nom a un enregistrement d’adresse.
dns-setting-bad = Un réglage DNS de cet ordinateur est inutilisable : { $cause }.
    .remedy = Corrigez ce réglage, dans /etc/resolv.conf ou là où le domaine a été indiqué ; tout le reste est utilisé en attendant.
not-tried = { $name } n’a pas été essayé : les précédents avaient déjà pris { $limit }.
    .remedy = Rien : le prochain passage commencera par lui ; ce sera plus rapide quand les serveurs disparus ne seront plus dans le DNS.
host-name-bad = Un nom de serveur est illisible : { $cause }.
    .remedy = Écrivez NOM, NOM:PORT ou [adresse IPv6]:PORT, dans `kms-client host set` ou dans KMS_HOSTS.
hosts-file-bad = Le fichier « hosts » est inutilisable : { $cause }.
    .remedy = Nommez moins de serveurs, ou laissez cet utilisateur lire le fichier ; `kms-client host set NOM` en écrit un nouveau.
host-name-unknown = Le nom { $name } n’a pas d’adresse.
    .remedy = Corrigez la cible de l’enregistrement SRV ou le nom configuré, ou ajoutez-lui un enregistrement d’adresse.
host-unreachable = Pas de connexion à { $address } : { $cause }.
    .remedy = Vérifiez que le serveur fonctionne et que ni un pare-feu ni son réglage `allow` ne s’interpose ; un enregistrement SRV périmé désigne des serveurs disparus.
host-silent = { $address } n’a pas répondu à temps.
    .remedy = Vérifiez la charge du serveur et le réseau ; le serveur suivant du DNS est essayé aussitôt.
not-a-host = Ce qui répond à { $address } n’est pas un serveur d’activation : { $cause }.
    .remedy = Corrigez le port de l’enregistrement SRV ou le nom configuré.

# TLS.
tls-files-bad = Les fichiers TLS de cet ordinateur sont inutilisables : { $cause }.
    .remedy = Réparez le fichier, KMS_TLS_CA, KMS_TLS_CERTIFICATE ou KMS_TLS_KEY ; en attendant, rien n’est demandé en clair.
tls-required = Le serveur n’accepte les demandes que par TLS.
    .remedy = Donnez à cet ordinateur le fichier de l’autorité de certification de l’organisation dans KMS_TLS_CA, ou au logiciel s’il le demande.
tls-not-offered = { $address } ne parle pas TLS 1.3 : { $cause }.
    .remedy = Réglez `tls` et le certificat sur le serveur, ou corrigez le port ; cet ordinateur ne doit rien parler d’autre.
tls-certificate-bad = { $address } présente un certificat TLS qui n’est pas valable ici : { $cause }.
    .remedy = Faites-en signer un par l’autorité pour le nom qu’utilisent les ordinateurs, et renouvelez-le à temps ; ou donnez à cet ordinateur l’autorité qui l’a signé.
tls-machine-refused = { $address } n’accepte pas le certificat TLS de cet ordinateur : { $cause }.
    .remedy = Donnez-lui-en un que `tls_client_ca` du serveur a signé, dans KMS_TLS_CERTIFICATE et KMS_TLS_KEY.
tls-failed = Pas de TLS avec { $address } : { $cause }.
    .remedy = Regardez ce qui se trouve entre l’ordinateur et le serveur, et le journal du serveur.

# Ce que le serveur refuse sans signature.
too-many-bad-asks = Des demandes incorrectes sont venues de { $from }, plus de { $limit } par minute : le serveur n’y écoute plus que les ordinateurs qu’il connaît.
    .remedy = Attendez un peu ; l’administrateur du serveur trouve l’adresse avec `kms-host sources` et ce qu’elle envoie avec `kms-host refusals`.
too-large = La demande dépasse { $limit } octets.
    .remedy = Mettez le logiciel à jour : sa bibliothèque cliente envoie plus que cette version du serveur n’en lit.
malformed = Le serveur ne peut pas lire la demande : { $cause }.
    .remedy = Mettez le logiciel à jour, ou le serveur s’il est le plus ancien des deux.
product-unknown = Le serveur n’a pas de certificat pour le produit { $product }.
    .remedy = Installez sur le serveur le certificat de l’éditeur pour ce produit, ou dirigez l’ordinateur vers le bon serveur.
signature-bad = La demande n’est pas signée par l’ordinateur qu’elle désigne.
    .remedy = Quelque chose modifie les messages en chemin, ou les données de cet ordinateur sont endommagées : exécutez `kms-client identity reset`.
overloaded = Plus de demandes attendent au serveur qu’il n’en garde.
    .remedy = Rien : la demande sera répétée ; si cela dure, regardez le disque et le processeur du serveur.
ledger-failed = Le serveur n’a pas pu écrire sur son disque.
    .remedy = Regardez le journal et le disque du serveur ; il s’est arrêté pour ne rien confirmer qui ne soit écrit.
ledger-damaged = Le serveur ne peut pas lire ce qu’il sait de cet ordinateur : son disque a endommagé une partie du registre.
    .remedy = Sur le serveur : arrêtez-le, `kms-host export --salvage FICHIER`, mettez le registre de côté, `kms-host import FICHIER` ; les autres ordinateurs sont servis en attendant.
signer-failed = Le serveur n’a pas pu utiliser sa clé de signature.
    .remedy = Regardez le journal du serveur et la clé avec laquelle il signe.
stopping = Le serveur est en train de s’arrêter.
    .remedy = Rien : le serveur suivant est interrogé, ou celui-ci quand il sera revenu.

# Ce que le serveur refuse avec sa signature.
host-clock = Le serveur doute de sa propre horloge : { $cause }.
    .remedy = Mettez l’horloge du serveur à l’heure, puis exécutez `kms-host clock confirm` ; en attendant, personne ne sort du décompte.
clock-skew = L’horloge de cet ordinateur { $direction ->
    [ahead] avance
   *[behind] retarde
} de { $by } sur celle du serveur, plus de { $tolerance } : pour le serveur, il est { $host_time }.
    .remedy = Mettez l’horloge de cet ordinateur à l’heure et faites-lui suivre un serveur de temps ; rien n’est perdu en attendant.
certificate-ended = Le certificat { $certificate } du serveur a expiré le { $not_after }.
    .remedy = Renouvelez le certificat du serveur auprès de l’éditeur ; les baux déjà accordés restent valables.
certificate-not-begun = Le certificat { $certificate } du serveur n’est valable qu’à partir du { $not_before }.
    .remedy = Vérifiez l’horloge du serveur, ou attendez ce jour.
disk-full = Il reste trop peu d’espace sur le disque du serveur pour compter qui que ce soit.
    .remedy = Libérez de l’espace sur le disque du répertoire de données du serveur : il reprend de lui-même, et rien n’est perdu en attendant.
chain-needed = Le serveur a besoin des certificats du bail qui lui a été présenté.
    .remedy = Rien : l’ordinateur redemande aussitôt et les apporte.
new-machines-limited = De nouveaux ordinateurs sont venus de { $from }, plus de { $limit } en un jour : celui-ci sera inscrit plus tard.
    .remedy = Rien sur cet ordinateur, il redemandera ; lors d’un déploiement, l’administrateur du serveur augmente new_machines_per_source et new_machines_per_site.
replayed = Le serveur a déjà répondu à une demande plus récente de cet ordinateur.
    .remedy = Rien, sauf si cela se répète : quelqu’un envoie alors des demandes enregistrées.
copied = Un autre ordinateur utilise la même identité, ou le disque de celui-ci a été ramené à un état antérieur.
    .remedy = Rien : cet ordinateur crée une nouvelle identité et garde sa licence en attendant ; généralisez les images avant de les copier.
blocked = L’administrateur du serveur a bloqué cet ordinateur.
    .remedy = Adressez-vous à l’administrateur du serveur.
count-below-threshold = Ordinateurs comptés : { $count } ; il en faut { $threshold }.
    .remedy = Rien sur cet ordinateur : il recevra sa licence de lui-même dès qu’assez d’autres auront demandé la leur.

# Ce que le logiciel n’accepte pas.
untrusted = { $address } n’est pas un serveur de cet éditeur : { $cause }.
    .remedy = Trouvez qui l’exploite : il n’a pas de certificat auquel ce logiciel se fie.
other-organisation = { $address } est le serveur d’une autre organisation, { $organisation }.
    .remedy = Corrigez le DNS, ou exécutez `kms-client organisation clear` si cet ordinateur a changé de mains.
answer-mismatch = { $address } a répondu autre chose que ce qui était demandé : { $cause }.
    .remedy = Signalez-le à l’administrateur du serveur : des réponses sont interverties ou enregistrées.
answer-out-of-time = { $address } a signé une réponse qui n’est pas valable à sa date : { $cause }.
    .remedy = Vérifiez les horloges du serveur et de l’ordinateur, et le certificat du serveur.
beyond-limits = { $address } a signé plus que son certificat ne le permet : { $cause }.
    .remedy = Signalez-le à l’éditeur : la clé du serveur a peut-être été volée.
host-revoked = L’éditeur a révoqué le certificat de { $address } : { $cause }.
    .remedy = Demandez à l’éditeur un autre certificat pour ce serveur, ou retirez le serveur du DNS. Une licence déjà obtenue court jusqu’à son terme.
newer-protocol = { $address } a répondu d’une manière qui exige une bibliothèque cliente plus récente.
    .remedy = Mettez le logiciel à jour.

# Ce que cet ordinateur ne peut pas faire lui-même.
state-unwritable = Rien ne peut être conservé dans { $path } : { $cause }.
    .remedy = Rendez le répertoire accessible en écriture au logiciel ; d’ici là, un bail existant reste valable et un nouveau prend fin avec le processus.
state-unreadable = Les données dans { $path } ne peuvent pas être lues : { $cause }.
    .remedy = Donnez le droit de lecture à l’utilisateur du logiciel, ou regardez le disque ; rien n’y est modifié d’ici là.
state-newer = Les données dans { $path } ont été écrites par une version plus récente : { $cause }.
    .remedy = Mettez à jour ce logiciel ou cette commande ; les données restent telles quelles.
state-damaged = Les données conservées dans { $path } sont endommagées : { $cause }.
    .remedy = Rien : elles sont recréées ; si cela se répète, regardez le disque.
identity-unreadable = Cet utilisateur peut lire la licence, mais pas la demander : { $path }.
    .remedy = Rien, si le service du logiciel s’exécute en tant que propriétaire de ce répertoire, car c’est lui qui demande ; sinon, donnez le répertoire à l’utilisateur du logiciel avec chown.
busy = Un autre processus de cet ordinateur est en train de demander.
    .remedy = Rien : sa réponse sert à tous les processus.
rekey-limit = Une copie a été signalée plus de trois fois en un jour, et aucune autre identité ne sera créée avant { $until }.
    .remedy = Trouvez quels ordinateurs partagent cette image ; la licence existante reste valable.

# Ce qui ne va pas dans une clé de produit saisie.
key-malformed = La clé de produit ne peut pas être juste : regardez le groupe { $groups }.
    .remedy = Comparez ces groupes avec la clé telle que vous l’avez reçue, et saisissez-les de nouveau.
key-newer = La clé de produit est d’un type que cette version ne connaît pas.
    .remedy = Mettez ce logiciel à jour, puis saisissez la clé de nouveau.
key-other-kind = Ceci est une { $kind ->
    [host] clé de serveur
    [multiple-activation] clé d’activation multiple
    [subscription] clé d’abonnement
   *[other] clé du type { $kind }
}, et il faut ici une { $wanted ->
    [host] clé de serveur
    [multiple-activation] clé d’activation multiple
    [subscription] clé d’abonnement
   *[other] clé du type { $wanted }
}.
    .remedy = Saisissez une clé de serveur sur le serveur de votre organisation, et une clé d’activation multiple dans le logiciel ; ou demandez au vendeur une clé de l’autre type.
key-other-product = Ceci est une clé pour un autre produit.
    .remedy = Saisissez-la dans le produit pour lequel elle a été vendue, ou demandez au vendeur une clé pour celui-ci.
key-missing = Aucune clé de produit n’est saisie sur cet ordinateur.
    .remedy = Saisissez d’abord la clé, dans le produit ou avec `kms-client key set --later CLÉ`.
key-not-kept = Cet ordinateur ne connaît que le numéro de la clé de produit { $key }, et le portail a besoin de la clé elle-même.
    .remedy = Saisissez de nouveau cette clé, dans le produit ou avec `kms-client key set --later CLÉ`, puis redemandez.

# Ce qui ne va pas avec un code que quelqu’un a saisi. Rien n’a été envoyé.
codes-not-taken = Cette version du produit n’accepte pas de codes de confirmation.
    .remedy = Activez par internet, ou par un fichier avec `kms-client proxy` ; ou demandez à l’éditeur une version qui les accepte.
code-malformed = Le code ne peut pas être juste : regardez le groupe { $groups }.
    .remedy = Comparez ces groupes avec ce qui vous a été lu, et saisissez-les de nouveau.
code-newer = Le code est d’un type, ou accorde des fonctions, que cette version ne connaît pas.
    .remedy = Mettez le produit à jour, puis saisissez le code de nouveau.
code-other-installation = Ce code de confirmation n’est pas pour cet ordinateur avec cette clé de produit.
    .remedy = Faites lire par l’éditeur le code d’installation qui a été confirmé, et comparez-le avec `kms-client key installation-id` ; si c’est le même, demandez encore une fois le code de confirmation.
code-key-out-of-time = La clé du produit pour les codes de confirmation n’est pas valable maintenant : { $cause }.
    .remedy = Vérifiez l’horloge de cet ordinateur ; si elle est juste, demandez à l’éditeur une version avec une clé plus récente, ou activez par internet.
code-ended = Ce code de confirmation a pris fin le { $ended_at }.
    .remedy = Vérifiez l’horloge de cet ordinateur ; si elle est juste, demandez au vendeur une durée plus longue, puis à l’éditeur un nouveau code de confirmation.

# Là où le portail de l’éditeur est interrogé.
no-portal-known = Ce produit n’indique aucun portail de son éditeur.
    .remedy = Activez d’une autre façon que le produit propose, ou demandez à l’éditeur une version qui indique son portail.
portal-ca-bad = L’autorité de certification pour le portail de l’éditeur est inutilisable : { $cause }.
    .remedy = Installez les certificats d’autorité de ce système si le produit les utilise ; sinon, signalez-le à l’éditeur, qui doit corriger l’autorité dans le produit.
portal-certificate-bad = Le portail de l’éditeur à l’adresse { $address } présente un certificat TLS qui n’est pas valable ici : { $cause }.
    .remedy = Vérifiez l’horloge de cet ordinateur, et si un proxy ouvre TLS en chemin : il doit laisser passer cette adresse ; sinon, signalez-le à l’éditeur, ou activez par fichier.
portal-unreachable = Aucune réponse du portail de l’éditeur à l’adresse { $address } : { $cause }.
    .remedy = Vérifiez que cet ordinateur atteint cette adresse par TLS, ou activez par fichier ; rien n’est perdu, et redemander ne coûte rien.

# Ce que le portail refuse.
key-unknown = L’éditeur n’a vendu aucune clé de ce genre pour ce produit.
    .remedy = Comparez la clé avec celle que vous avez reçue, et saisissez-la de nouveau ; si c’est la même, demandez au vendeur.
key-blocked = L’éditeur a bloqué cette clé.
    .remedy = Demandez au vendeur de la clé : cet ordinateur n’est pas en cause, et ce qui est déjà activé le reste.
revoked = L’éditeur a retiré cette licence à partir du { $at }.
    .remedy = Demandez au vendeur de la clé : cet ordinateur n’est pas en cause.
key-ended = La durée de cette clé s’est achevée le { $ended_at }.
    .remedy = Achetez une nouvelle clé auprès du vendeur, et saisissez-la.
key-exhausted = Toutes les places de cette clé sont prises : { $used } sur { $granted }.
    .remedy = Libérez un ordinateur qui ne sert plus, ou faites augmenter la clé par le vendeur ; demandez ensuite de nouveau.
hosts-exhausted = Cette clé a activé autant de serveurs qu’elle le peut : { $hosts }.
    .remedy = Utilisez un de ces serveurs, ou faites augmenter la clé par le vendeur ; demandez ensuite de nouveau.
activations-exhausted = Cette clé a activé ce serveur { $activations } fois, aussi souvent qu’elle le peut.
    .remedy = Faites augmenter la clé par le vendeur, puis demandez de nouveau ; le certificat installé reste valable.
releases-exhausted = Autant d’ordinateurs de cette clé ont été libérés en un an que permis : { $releases }.
    .remedy = Demandez au vendeur de libérer la place, ou attendez que la première de ces libérations ait un an.
clock-ahead = L’horloge de cet ordinateur avance de { $by }, plus de { $tolerance } : pour le portail, il est { $portal_time }.
    .remedy = Réglez l’horloge de cet ordinateur, faites-la suivre un serveur de temps et demandez à nouveau ; rien n’a été compté.
not-activated-here = Le portail n’a pas activé ceci avec la clé indiquée.
    .remedy = Activez d’abord avec la clé ; pour libérer, il n’y a rien à faire.
too-many-wrong-keys = Trop de clés erronées sont venues de l’adresse de ce réseau ; la prochaine sera cherchée dans { $wait }.
    .remedy = Attendez, et trouvez qui envoie des clés erronées sur ce réseau ; pour activer maintenant, utilisez un fichier.
issuer-ended = Le portail de l’éditeur ne peut pas signer pour ce produit en ce moment.
    .remedy = Demandez à l’éditeur d’installer un nouveau certificat d’émetteur sur le portail ; demandez ensuite de nouveau, rien n’est perdu.
portal-failed = Le portail de l’éditeur ne peut pas répondre en ce moment : { $cause }.
    .remedy = Il n’y a rien à faire ici : demandez de nouveau plus tard, cela ne coûte rien ; si cela dure, prévenez l’éditeur.

# Se connecter sur un ordinateur.
sign-in-denied = Quelqu’un a refusé cet ordinateur sur le portail de l’éditeur.
    .remedy = Connectez-vous de nouveau s’il s’agissait d’une erreur : un nouveau code s’affiche, et la personne qui le saisit admet cet ordinateur.
sign-in-expired = Personne n’a saisi le code à temps.
    .remedy = Connectez-vous de nouveau : un nouveau code s’affiche ; il peut être saisi pendant 15 minutes.
not-signed-in = Personne n’est connecté au portail de l’éditeur sur cet ordinateur.
    .remedy = Connectez-vous, dans le produit ou avec `kms-client account sign-in` ; une licence déjà obtenue court jusqu’à son terme.
account-not-licensed = Ce produit n’est pas lié au compte { $account }.
    .remedy = Demandez une licence à l’administrateur de votre organisation, ou connectez-vous avec un autre compte ; une licence déjà obtenue court jusqu’à son terme.
too-many-devices = { $account } est connecté sur { $devices } appareils ; la licence n’en permet pas davantage.
    .remedy = Déconnectez-vous de l’un d’eux, sur place ou sur la page « Mes appareils » du portail de l’éditeur, puis connectez-vous de nouveau ici.
too-many-sign-ins = Trop d’ordinateurs à l’adresse de ce réseau attendent que quelqu’un les admette ; le prochain peut commencer dans { $wait }.
    .remedy = Attendez, puis connectez-vous de nouveau ; les codes que personne ne saisit expirent d’eux-mêmes au bout de 15 minutes.

# Ce que le portail refuse au personnel de l’éditeur.
token-unknown = Le portail ne connaît pas ce jeton.
    .remedy = Indiquez avec --token-file le fichier qui contient le jeton ; un administrateur du portail en crée un avec `kms-portal token issue`.
token-ended = Le jeton { $name } n’est plus utilisable : { $cause }.
    .remedy = Demandez un autre jeton à un administrateur du portail.
not-permitted = Le jeton { $name } est pour le rôle { $role }, qui n’a pas le droit d’appeler { $call }.
    .remedy = Demandez à un collègue dont le rôle le permet, ou demandez à un administrateur du portail un jeton d’un autre rôle.
too-many-wrong-tokens = Trop de jetons erronés sont venus de cette adresse ; le prochain sera cherché dans { $wait }.
    .remedy = Attendez, et trouvez quel programme y envoie un jeton erroné ; sur la machine du portail, aucun jeton n’est nécessaire.

# Ce que le serveur refuse à qui l’administre.
not-administrator = L’utilisateur { $uid } n’a pas le droit d’administrer ce serveur.
    .remedy = Exécutez la commande en tant que root, ou en tant que l’utilisateur sous lequel le serveur fonctionne.
audit-unwritable = Rien n’a été modifié, parce que cela ne peut pas être consigné dans { $path } : { $cause }.
    .remedy = Réparez ce fichier ou son disque, et redonnez la commande ; les ordinateurs sont servis en attendant.
machine-unknown = Aucun ordinateur n’a d’identifiant qui commence par { $id }.
    .remedy = `kms-host machines` les montre tous ; avec --product, seuls ceux de ce produit sont examinés.
machine-ambiguous = Plusieurs ordinateurs ont un identifiant qui commence par { $id }, comme { $first } et { $second }.
    .remedy = Écrivez une plus grande partie de l’identifiant, ou précisez le produit avec --product.
machine-blocked = L’ordinateur { $machine } est bloqué, et l’oublier le laisserait revenir.
    .remedy = Débloquez-le d’abord avec `kms-host machine unblock`, si c’est ce que vous voulez.

# Les mêmes raisons, du portail de l’éditeur et non d’un serveur.
malformed-of-portal = Le portail de l’éditeur ne peut pas lire la demande : { $cause }.
    .remedy = Mettez le logiciel à jour ; s’il est déjà le plus récent, signalez-le à l’éditeur.
signature-bad-of-portal = La demande qui est arrivée au portail de l’éditeur n’est pas signée par l’ordinateur qu’elle nomme.
    .remedy = Quelque chose modifie les messages en chemin, ou les données de cet ordinateur sont endommagées : exécutez `kms-client identity reset`.
too-large-of-portal = La demande dépasse { $limit } octets.
    .remedy = Mettez le logiciel à jour : sa bibliothèque cliente envoie plus que le portail de l’éditeur n’en lit.
overloaded-of-portal = Plus de demandes attendent au portail de l’éditeur qu’il ne veut en garder.
    .remedy = Rien : il sera interrogé de nouveau, ce qui ne coûte rien ; si cela dure, signalez-le à l’éditeur.
stopping-of-portal = Le portail de l’éditeur est en cours d’arrêt.
    .remedy = Rien : il sera interrogé de nouveau, ce qui ne coûte rien.
replayed-of-portal = Le portail de l’éditeur a déjà répondu à une demande plus récente de cet ordinateur.
    .remedy = Vérifiez l’horloge de cet ordinateur, et redemandez dans quelques heures ; si cela se répète, quelqu’un envoie des demandes enregistrées.
untrusted-of-portal = Le portail de l’éditeur à l’adresse { $address } signe avec une clé à laquelle ce logiciel ne se fie pas : { $cause }.
    .remedy = Mettez le logiciel à jour ; s’il est déjà le plus récent, signalez-le à l’éditeur.
other-organisation-of-portal = L’éditeur a vendu cette clé à une autre organisation, { $organisation }.
    .remedy = Saisissez une clé de votre propre organisation : cet exemplaire du logiciel est pour elle seule.
answer-mismatch-of-portal = Le portail de l’éditeur à l’adresse { $address } a répondu autre chose que ce qui était demandé : { $cause }.
    .remedy = Redemandez, ce qui ne coûte rien ; si cela persiste, signalez-le à l’éditeur.
answer-out-of-time-of-portal = Le portail de l’éditeur à l’adresse { $address } a signé une réponse qui n’est pas valable à son heure : { $cause }.
    .remedy = Vérifiez l’horloge de cet ordinateur ; si elle est juste, signalez-le à l’éditeur.
