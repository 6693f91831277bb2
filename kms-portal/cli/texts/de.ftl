# Was am Telefon zu sehen ist. Deutsch.

ask-first = Lassen Sie sich den Installationscode vorlesen und geben Sie ihn Gruppe für Gruppe ein. Mehrere Gruppen in einer Zeile sind möglich.
group = Gruppe { $group }:
group-wrong = Gruppe { $group } ist falsch. Fragen Sie noch einmal danach.
group-length = Gruppe { $group } hat { $has } Zeichen und nicht 6. Fragen Sie noch einmal danach.
groups-swapped = Die Gruppen { $one } und { $other } sind vertauscht. Fragen Sie noch einmal nach beiden.
too-many = Das ist mehr als die Gruppen eines Installationscodes. Alles nach Gruppe { $group } wurde weggelassen.
code-wrong = Jede Gruppe stimmt, aber zusammen sind sie kein Installationscode: { $why }.
code-partial = Der Installationscode ist nicht vollständig: { $have ->
    [one] { $have } Gruppe ist
   *[other] { $have } Gruppen sind
} da.
key-of = Schlüssel { $number } für { $product }, verkauft an { $organisation }.
used-machines = Computer, die der Schlüssel aktiviert hat: { $used } von { $granted }.
used-hosts = Hosts, die der Schlüssel aktiviert hat: { $used } von { $granted }.
machine-known = Dieser Computer hat schon seinen Platz. Der Anruf kostet nichts.
machine-new = Dieser Computer belegt einen Platz.
host-known = Host { $host } wurde heute oder bei einem früheren Anruf aktiviert. Dieser Anruf kostet nichts.
host-new = Das ist Host { $host }, Aktivierung { $activation } von { $activations }.
terms-of = Der Host braucht die Bedingungen { $terms } des Schlüssels.{ $terms ->
    [1] {""}
   *[other] {" "}Hat er eine frühere Datei, bestätigen Sie mit --terms und der Nummer, die darin steht.
}
ends = Die Bestätigung endet am { $date }.
ends-never = Die Bestätigung hat kein Ende.
features = Funktionen: { $features }.
confirm = Bestätigen? (j/n)
yes = jy
reason = Grund, zum Beispiel die Nummer eines Tickets:
nothing-confirmed = Es wurde nichts bestätigt.
read-aloud = Bestätigungscode. Lesen Sie ihn Zeile für Zeile vor:
in-letters = Oder zum Tippen:
spelled = Zum Buchstabieren: { $words }.
# DIN 5009:2022.
spelling = Aachen Berlin Chemnitz Düsseldorf Essen Frankfurt Goslar Hamburg Jena Köln München Nürnberg Potsdam Quickborn Rostock Salzwedel Tübingen Völklingen Wuppertal Xanten Ypsilon Zwickau
for-camera = Oder für eine Kamera:
tell-caller = Sagen Sie am Telefon:
