# Ce que voit l'opérateur au téléphone. Français.

ask-first = Faites-vous lire le code d'installation et saisissez-le groupe par groupe. Plusieurs groupes sur une ligne conviennent.
group = Groupe { $group } :
group-wrong = Le groupe { $group } est faux. Redemandez-le.
group-length = Le groupe { $group } a { $has ->
    [one] { $has } caractère
   *[other] { $has } caractères
} au lieu de 6. Redemandez-le.
groups-swapped = Les groupes { $one } et { $other } ont été intervertis. Redemandez les deux.
too-many = C'est plus que les groupes d'un code d'installation. Tout ce qui suit le groupe { $group } a été ignoré.
code-wrong = Chaque groupe est juste, mais ensemble ils ne forment pas un code d'installation : { $why }.
code-partial = Le code d'installation n'est pas complet : { $have ->
    [one] { $have } groupe est là
   *[other] { $have } groupes sont là
}.
key-of = Clé { $number } pour { $product }, vendue à { $organisation }.
used-machines = Ordinateurs que la clé a activés : { $used } sur { $granted }.
used-hosts = Hôtes que la clé a activés : { $used } sur { $granted }.
machine-known = Cet ordinateur a déjà sa place. L'appel ne coûte rien.
machine-new = Cet ordinateur prend une place.
host-known = L'hôte { $host } a été activé aujourd'hui ou lors d'un appel précédent. Cet appel ne coûte rien.
host-new = C'est l'hôte { $host }, activation { $activation } sur { $activations }.
terms-of = L'hôte doit avoir les conditions { $terms } de la clé.{ $terms ->
    [1] {""}
   *[other] {" "}S'il a un fichier plus ancien, confirmez avec --terms et le numéro qui y figure.
}
ends = La confirmation prend fin le { $date }.
ends-never = La confirmation n'a pas de fin.
features = Fonctions : { $features }.
confirm = Confirmer ? (o/n)
yes = oy
reason = Motif, par exemple le numéro d'un ticket :
nothing-confirmed = Rien n'a été confirmé.
read-aloud = Code de confirmation. Lisez-le à l'appelant, rangée par rangée :
in-letters = Ou pour le taper :
spelled = Pour épeler : { $words }.
# Alphabet téléphonique français.
spelling = Anatole Berthe Célestin Désiré Eugène François Gaston Henri Joseph Kléber Marcel Nicolas Pierre Quintal Raoul Suzanne Thérèse Victor William Xavier Yvonne Zoé
for-camera = Ou pour une caméra :
tell-caller = Dites à l'appelant :
