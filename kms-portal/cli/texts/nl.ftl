# Wat de medewerker aan de telefoon ziet. Nederlands.

ask-first = Vraag de beller om de installatiecode en typ die groep voor groep. Meer groepen op één regel mag.
group = Groep { $group }:
group-wrong = Groep { $group } klopt niet. Vraag die groep opnieuw.
group-length = Groep { $group } heeft { $has ->
    [one] { $has } teken
   *[other] { $has } tekens
} en geen 6. Vraag die groep opnieuw.
groups-swapped = De groepen { $one } en { $other } zijn verwisseld. Vraag beide opnieuw.
too-many = Dat is meer dan de groepen van een installatiecode. Alles na groep { $group } is weggelaten.
code-wrong = Elke groep klopt, maar samen zijn ze geen installatiecode: { $why }.
code-partial = De installatiecode is niet compleet: { $have ->
    [one] er is { $have } groep
   *[other] er zijn { $have } groepen
}.
key-of = Sleutel { $number } voor { $product }, verkocht aan { $organisation }.
used-machines = Computers die de sleutel heeft geactiveerd: { $used } van { $granted }.
used-hosts = Hosts die de sleutel heeft geactiveerd: { $used } van { $granted }.
machine-known = Deze computer heeft al een plaats. Het gesprek kost niets.
machine-new = Deze computer neemt een plaats in.
host-known = Host { $host } is vandaag of bij een eerder gesprek geactiveerd. Dit gesprek kost niets.
host-new = Dit is host { $host }, activering { $activation } van { $activations }.
terms-of = De host moet voorwaarden { $terms } van de sleutel hebben.{ $terms ->
    [1] {""}
   *[other] {" "}Heeft hij een eerder bestand, bevestig dan met --terms en het nummer daarin.
}
ends = De bevestiging eindigt op { $date }.
ends-never = De bevestiging heeft geen einde.
features = Functies: { $features }.
confirm = Bevestigen? (j/n)
yes = jy
reason = Reden, bijvoorbeeld het nummer van een ticket:
nothing-confirmed = Er is niets bevestigd.
read-aloud = Bevestigingscode. Lees die de beller voor, rij voor rij:
in-letters = Of om te typen:
spelled = Om te spellen: { $words }.
# Nederlands telefoonalfabet.
spelling = Anton Bernhard Cornelis Dirk Eduard Ferdinand Gerard Hendrik Johan Karel Maria Nico Pieter Quotiënt Richard Simon Theodoor Victor Willem Xantippe Ypsilon Zaandam
for-camera = Of voor een camera:
tell-caller = Zeg tegen de beller:
