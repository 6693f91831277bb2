# Deutsch.

date = { $day }. { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
} { $year }
length = { $unit ->
    [days] { $count ->
        [one] { $count } Tag
       *[other] { $count } Tage
    }
    [hours] { $count ->
        [one] { $count } Stunde
       *[other] { $count } Stunden
    }
   *[minutes] { $count ->
        [one] { $count } Minute
       *[other] { $count } Minuten
    }
}

license-in-grace = Diese Software ist noch nicht aktiviert. Das geschieht bis zum { $until } von selbst; Sie müssen nichts tun.
license-licensed = Lizenziert bis zum { $until }. Die Lizenz verlängert sich von selbst.
license-renewal-overdue = Lizenziert bis zum { $until }. Die Lizenz hätte am { $since } verlängert werden sollen; die Software versucht es weiter.
license-expiring-soon = Die Lizenz endet am { $until }. Verbinden Sie diesen Computer mit dem Netzwerk Ihrer Organisation, damit sie verlängert werden kann.
license-lapsed = Die Lizenz ist am { $since } abgelaufen. Die Software funktioniert weiterhin. Verbinden Sie diesen Computer mit dem Netzwerk Ihrer Organisation, um die Lizenz zu verlängern.
license-never-activated = Diese Software hätte bis zum { $since } aktiviert werden sollen. Sie funktioniert weiterhin. Verbinden Sie diesen Computer mit dem Netzwerk Ihrer Organisation, um sie zu aktivieren.
license-clock-wrong = Die Uhr dieses Computers geht { $by } { $direction ->
    [ahead] vor
   *[behind] nach
}. Stellen Sie die Uhr; danach kann die Lizenz verlängert werden.{ $until ->
    [none] {""}
   *[other] {" "}Die Software ist bis zum { $until } lizenziert.
}
license-without-end = Unbefristet lizenziert.
license-key-entered = Ein Produktschlüssel wurde eingegeben, und diese Software ist damit noch nicht aktiviert. Stellen Sie eine Verbindung zum Internet her und aktivieren Sie; bis dahin funktioniert die Software weiterhin.
license-by-key = Lizenziert bis zum { $until } durch einen Produktschlüssel.
license-key-ends-soon = Der Produktschlüssel läuft am { $until } ab. Bitten Sie den Verkäufer um eine längere Laufzeit oder einen neuen Schlüssel.
license-key-ended = Der Produktschlüssel ist am { $since } abgelaufen. Die Software funktioniert weiterhin. Bitten Sie den Verkäufer um eine längere Laufzeit oder einen neuen Schlüssel.
license-key-revoked = Der Hersteller hat die Lizenz dieses Produktschlüssels am { $since } zurückgezogen. Die Software funktioniert weiterhin. Fragen Sie den Verkäufer: An diesem Computer liegt es nicht.
license-by-account = Lizenziert bis zum { $until } durch das angemeldete Konto. Die Lizenz verlängert sich von selbst.
license-account-ends-soon = Die Lizenz des angemeldeten Kontos läuft am { $until } ab. Stellen Sie eine Verbindung zum Internet her, damit sie verlängert wird, oder melden Sie sich noch einmal an.
license-account-ended = Die Lizenz des angemeldeten Kontos ist am { $since } abgelaufen. Die Software funktioniert weiterhin. Stellen Sie eine Verbindung zum Internet her, oder melden Sie sich noch einmal an.
license-hardware-changed = Die Hardware dieses Computers hat sich geändert; das wurde am { $since } bemerkt. Stellen Sie eine Verbindung zum Internet her, dann aktiviert die Software ihren Produktschlüssel erneut. Sie funktioniert weiterhin.

# Der Assistent, in einem Fenster oder einem Terminal.
wizard-enter-key = Geben Sie den Produktschlüssel ein: fünf Gruppen zu fünf Zeichen.
wizard-now-or-later = Der Produktschlüssel { $key } ist auf diesem Computer gespeichert. Jetzt aktivieren oder später?
wizard-way = Wie möchten Sie aktivieren?
wizard-working = Einen Augenblick, bitte.
wizard-no-connection = Es besteht keine Verbindung zum Hersteller. Der Produktschlüssel bleibt auf diesem Computer gespeichert.
wizard-failed = Die Aktivierung ist nicht gelungen. Der Produktschlüssel bleibt auf diesem Computer gespeichert.
wizard-country = Aus welchem Land rufen Sie an?
wizard-region = Aus welchem Teil des Landes rufen Sie an?
wizard-numbers = Rufen Sie eine dieser Nummern an, und lassen Sie dies geöffnet.
wizard-installation-id = Lesen Sie dem Hersteller diesen Installationscode vor, Gruppe für Gruppe.
wizard-confirmation = Geben Sie den Bestätigungscode ein, der Ihnen vorgelesen wird, eine oder mehrere Gruppen auf einmal.
wizard-licensed = Diese Software ist aktiviert.
wizard-later = Der Produktschlüssel bleibt auf diesem Computer gespeichert. Die Software fragt beim nächsten Start wieder.
wizard-key-before = Bis dahin bleibt der Produktschlüssel { $before } aktiv.
wizard-key-replaced = Der Hersteller zählt diesen Computer auch noch für den Produktschlüssel { $before }.
wizard-give-back = So geben Sie diesen Platz zurück: { $command }
wizard-choose-now = Jetzt aktivieren
wizard-choose-later = Später aktivieren
wizard-choose-internet = Über das Internet
wizard-choose-telephone = Per Telefon
wizard-choose-retry = Noch einmal versuchen
wizard-choose-other-key = Einen anderen Produktschlüssel eingeben
wizard-choose-continue = Weiter
wizard-choose-back = Zurück
wizard-number = Telefon: { $number }
wizard-text-telephone = Schreibtelefon: { $number }
wizard-region-of-number = Region: { $region }
wizard-hours = Erreichbar: { $hours }
wizard-languages = Sprachen: { $languages }
wizard-letters = Dasselbe für eine Tastatur:
wizard-leave = Beenden
wizard-empty-goes-back = Eine leere Zeile führt zurück.
wizard-empty-leaves = Eine leere Zeile beendet.
wizard-proposed = Eine leere Zeile wählt { $country }.
wizard-not-offered = Geben Sie eine Zahl von 0 bis { $last } ein.
wizard-groups-wrong = Falsche Gruppen: { $groups }. Diese Zeile wurde nicht übernommen: Geben Sie sie noch einmal ein, ab Gruppe { $next }.
wizard-groups-right = Bis hierher stimmt es. Weiter mit Gruppe { $next } von { $all }.
wizard-left = Nichts ist verloren. Beim nächsten Mal geht es hier weiter.

fault-nobody = Niemand muss etwas tun.
fault-machine = Die Administration dieses Computers kann das beheben.
fault-host = Die Administration des Aktivierungsservers kann das beheben.
fault-network = Die Administration des Netzwerks kann das beheben.
fault-vendor = Der Hersteller dieser Software kann das beheben.

unknown = Die Aktivierung ist aus einem Grund fehlgeschlagen, den diese Version nicht kennt: { $code }
    .remedy = Aktualisieren Sie diese Software.
unsigned = { $text } (ohne Signatur, von { $by })

# Wo die Software einen Server sucht.
no-host-known = Es ist kein Aktivierungsserver eingetragen, und dieser Computer hat keine DNS-Domäne, in der einer zu suchen wäre.
    .remedy = Tragen Sie mit `kms-client host set NAME` einen Server ein, oder geben Sie dem Computer eine DNS-Domäne oder Suchliste.
dns-no-record = DNS kennt keinen Aktivierungsserver: { $name } hat keinen SRV-Eintrag.
    .remedy = Veröffentlichen Sie unter diesem Namen einen SRV-Eintrag, der auf den Server zeigt, oder tragen Sie auf diesem Computer einen Server ein.
dns-failed = DNS hat für { $name } keine Antwort gegeben: { $cause }.
    .remedy = Prüfen Sie den DNS-Server dieses Computers; der Name fehlt nicht, es hat nur niemand geantwortet.
dns-not-offered = Laut DNS hat { $name } keinen Aktivierungsserver: Der Eintrag hat das Ziel `.`.
    .remedy = Ersetzen Sie ihn durch einen SRV-Eintrag, der auf den Server zeigt, oder tragen Sie auf diesem Computer einen Server ein.
dns-port-zero = Der SRV-Eintrag { $name } nennt für { $target } den Port 0, und dort ist niemand erreichbar.
    .remedy = Korrigieren Sie den Eintrag: Sein Port ist der, an dem der Server lauscht.
dns-target-bad = Ein SRV-Eintrag hat das Ziel { $target }, und das ist kein Servername: { $cause }.
    .remedy = Korrigieren Sie den Eintrag: Sein Ziel ist der vollständige Name eines Servers, etwa `host.corp.example.`, und dieser Name hat einen Adresseintrag.
dns-setting-bad = Eine DNS-Einstellung dieses Computers ist unbrauchbar: { $cause }.
    .remedy = Korrigieren Sie sie in /etc/resolv.conf oder dort, wo die Domäne angegeben ist; alles andere wird solange verwendet.
not-tried = { $name } wurde nicht versucht: Die Server davor haben schon { $limit } gebraucht.
    .remedy = Nichts: Die nächste Runde beginnt damit; es geht schneller, sobald Server, die es nicht mehr gibt, nicht mehr im DNS stehen.
host-name-bad = Ein Servername ist nicht lesbar: { $cause }.
    .remedy = Schreiben Sie NAME, NAME:PORT oder [IPv6-Adresse]:PORT, in `kms-client host set` oder in KMS_HOSTS.
hosts-file-bad = Die Datei „hosts“ ist nicht brauchbar: { $cause }.
    .remedy = Nennen Sie weniger Server, oder lassen Sie diesen Benutzer die Datei lesen; `kms-client host set NAME` schreibt eine neue.
host-name-unknown = Der Name { $name } hat keine Adresse.
    .remedy = Korrigieren Sie das Ziel des SRV-Eintrags oder den eingetragenen Namen, oder ergänzen Sie einen Adresseintrag dafür.
host-unreachable = Keine Verbindung zu { $address }: { $cause }.
    .remedy = Prüfen Sie, ob der Server läuft und ob weder eine Firewall noch seine Einstellung `allow` dazwischensteht; ein veralteter SRV-Eintrag nennt Server, die es nicht mehr gibt.
host-silent = { $address } hat nicht rechtzeitig geantwortet.
    .remedy = Prüfen Sie die Auslastung des Servers und das Netzwerk; der nächste Server im DNS wird sofort versucht.
not-a-host = Was an { $address } antwortet, ist kein Aktivierungsserver: { $cause }.
    .remedy = Korrigieren Sie den Port im SRV-Eintrag oder den eingetragenen Namen.

# TLS.
tls-files-bad = Die TLS-Dateien dieses Computers sind unbrauchbar: { $cause }.
    .remedy = Bringen Sie die Datei, KMS_TLS_CA, KMS_TLS_CERTIFICATE oder KMS_TLS_KEY in Ordnung; solange wird nichts unverschlüsselt angefragt.
tls-required = Der Server nimmt Anfragen nur über TLS an.
    .remedy = Geben Sie diesem Computer in KMS_TLS_CA die Datei der CA Ihrer Organisation, oder der Software, falls sie danach fragt.
tls-not-offered = { $address } spricht kein TLS 1.3: { $cause }.
    .remedy = Stellen Sie am Server `tls` und das Zertifikat ein, oder korrigieren Sie den Port; dieser Computer darf nichts anderes sprechen.
tls-certificate-bad = { $address } zeigt ein TLS-Zertifikat, das hier nicht gilt: { $cause }.
    .remedy = Lassen Sie die CA eines für den Namen signieren, den die Computer verwenden, und erneuern Sie es rechtzeitig; oder geben Sie diesem Computer die CA, die es signiert hat.
tls-machine-refused = { $address } nimmt das TLS-Zertifikat dieses Computers nicht an: { $cause }.
    .remedy = Geben Sie ihm eines, das `tls_client_ca` des Servers signiert hat, in KMS_TLS_CERTIFICATE und KMS_TLS_KEY.
tls-failed = Kein TLS mit { $address }: { $cause }.
    .remedy = Sehen Sie nach, was zwischen Computer und Server steht, und lesen Sie das Protokoll des Servers.

# Was der Server ohne Signatur ablehnt.
too-many-bad-asks = Von { $from } kamen fehlerhafte Anfragen, mehr als { $limit } pro Minute: Der Server hört dort nur noch auf Computer, die er kennt.
    .remedy = Warten Sie eine Weile; die Administration des Servers findet die Adresse mit `kms-host sources` und was sie sendet mit `kms-host refusals`.
too-large = Die Anfrage ist größer als { $limit } Bytes.
    .remedy = Aktualisieren Sie die Software: Ihre Client-Bibliothek sendet mehr, als diese Version des Servers liest.
malformed = Der Server kann die Anfrage nicht lesen: { $cause }.
    .remedy = Aktualisieren Sie die Software, oder den Server, falls er der ältere von beiden ist.
product-unknown = Der Server hat kein Zertifikat für das Produkt { $product }.
    .remedy = Installieren Sie am Server das Zertifikat des Herstellers für dieses Produkt, oder verweisen Sie den Computer an den richtigen Server.
signature-bad = Die Anfrage ist nicht von dem Computer signiert, den sie nennt.
    .remedy = Etwas auf dem Weg verändert Nachrichten, oder die Daten dieses Computers sind beschädigt: Führen Sie `kms-client identity reset` aus.
overloaded = Beim Server warten mehr Anfragen, als er annimmt.
    .remedy = Nichts: Es wird wieder angefragt; falls es anhält, prüfen Sie Datenträger und Prozessor des Servers.
ledger-failed = Der Server konnte nicht auf seinen Datenträger schreiben.
    .remedy = Prüfen Sie Protokoll und Datenträger des Servers; er hat angehalten, damit nichts bestätigt wird, was nicht geschrieben ist.
ledger-damaged = Der Server kann nicht lesen, was er über diesen Computer weiß: Sein Datenträger hat einen Teil des Registers beschädigt.
    .remedy = Am Server: anhalten, `kms-host export --salvage DATEI`, das Register beiseitelegen, `kms-host import DATEI`; andere Computer werden solange bedient.
signer-failed = Der Server konnte seinen Signaturschlüssel nicht verwenden.
    .remedy = Prüfen Sie das Protokoll des Servers und den Schlüssel, mit dem er signiert.
stopping = Der Server wird gerade beendet.
    .remedy = Nichts: Der nächste Server wird gefragt, oder dieser, sobald er wieder da ist.

# Was der Server mit Signatur ablehnt.
host-clock = Der Server zweifelt an seiner eigenen Uhr: { $cause }.
    .remedy = Stellen Sie die Uhr des Servers und führen Sie dann `kms-host clock confirm` aus; solange fällt niemand aus der Zählung.
clock-skew = Die Uhr dieses Computers geht gegenüber der des Servers { $by } { $direction ->
    [ahead] vor
   *[behind] nach
}, mehr als { $tolerance }: Laut Server ist es { $host_time }.
    .remedy = Stellen Sie die Uhr dieses Computers und lassen Sie sie einem Zeitserver folgen; solange geht nichts verloren.
certificate-ended = Das Zertifikat { $certificate } des Servers ist am { $not_after } abgelaufen.
    .remedy = Verlängern Sie das Zertifikat des Servers beim Hersteller; bereits ausgestellte Leases gelten weiter.
certificate-not-begun = Das Zertifikat { $certificate } des Servers gilt erst ab { $not_before }.
    .remedy = Prüfen Sie die Uhr des Servers, oder warten Sie bis zu diesem Tag.
disk-full = Auf dem Datenträger des Servers ist zu wenig Platz, um jemanden zu zählen.
    .remedy = Schaffen Sie Platz auf dem Datenträger mit dem Datenverzeichnis des Servers: Er macht von selbst weiter, und solange geht nichts verloren.
chain-needed = Der Server braucht die Zertifikate der Lease, die ihm gezeigt wurde.
    .remedy = Nichts: Der Computer fragt sofort noch einmal und bringt sie mit.
new-machines-limited = Von { $from } kamen neue Computer, mehr als { $limit } an einem Tag: Dieser wird später aufgenommen.
    .remedy = Auf diesem Computer nichts, er fragt wieder an; bei einer Einführung erhöht die Administration des Servers new_machines_per_source und new_machines_per_site.
replayed = Der Server hat schon eine spätere Anfrage dieses Computers beantwortet.
    .remedy = Nichts, es sei denn, es wiederholt sich: Dann sendet jemand aufgezeichnete Anfragen.
copied = Ein anderer Computer verwendet dieselbe Identität, oder der Datenträger dieses Computers wurde zurückgesetzt.
    .remedy = Nichts: Dieser Computer erzeugt eine neue Identität und behält solange seine Lizenz; verallgemeinern Sie Abbilder vor dem Kopieren.
blocked = Die Administration des Servers hat diesen Computer gesperrt.
    .remedy = Fragen Sie die Administration des Servers.
count-below-threshold = Gezählte Computer: { $count } von { $threshold }, die gebraucht werden.
    .remedy = Auf diesem Computer nichts: Er wird von selbst lizenziert, sobald genügend andere angefragt haben.

# Was die Software nicht annimmt.
untrusted = { $address } ist kein Server dieses Herstellers: { $cause }.
    .remedy = Finden Sie heraus, wer ihn betreibt: Er hat kein Zertifikat, dem diese Software vertraut.
other-organisation = { $address } ist der Server einer anderen Organisation, { $organisation }.
    .remedy = Korrigieren Sie DNS, oder führen Sie `kms-client organisation clear` aus, falls dieser Computer den Besitzer gewechselt hat.
answer-mismatch = { $address } hat etwas anderes geantwortet, als gefragt war: { $cause }.
    .remedy = Melden Sie es der Administration des Servers: Antworten werden vertauscht oder aufgezeichnet.
answer-out-of-time = { $address } hat eine Antwort signiert, die zu ihrer Zeit nicht gilt: { $cause }.
    .remedy = Prüfen Sie die Uhren von Server und Computer und das Zertifikat des Servers.
beyond-limits = { $address } hat mehr signiert, als sein Zertifikat erlaubt: { $cause }.
    .remedy = Melden Sie es dem Hersteller: Der Schlüssel des Servers ist vielleicht gestohlen.
host-revoked = Der Hersteller hat das Zertifikat von { $address } zurückgezogen: { $cause }.
    .remedy = Bitten Sie den Hersteller um ein anderes Zertifikat für diesen Server, oder nehmen Sie den Server aus dem DNS. Eine vorhandene Lizenz läuft bis zu ihrem Ende weiter.
newer-protocol = { $address } hat auf eine Weise geantwortet, die eine neuere Client-Bibliothek braucht.
    .remedy = Aktualisieren Sie die Software.

# Was dieser Computer selbst nicht kann.
state-unwritable = In { $path } kann nichts gespeichert werden: { $cause }.
    .remedy = Machen Sie das Verzeichnis für die Software beschreibbar; bis dahin läuft eine vorhandene Lease weiter, und eine neue endet mit dem Prozess.
state-unreadable = Die Daten in { $path } sind nicht lesbar: { $cause }.
    .remedy = Geben Sie dem Benutzer der Software Leserechte, oder prüfen Sie den Datenträger; bis dahin wird nichts daran geändert.
state-newer = Die Daten in { $path } wurden von einer neueren Version geschrieben: { $cause }.
    .remedy = Aktualisieren Sie diese Software oder diesen Befehl; die Daten bleiben, wie sie sind.
state-damaged = Die gespeicherten Daten in { $path } sind beschädigt: { $cause }.
    .remedy = Nichts: Sie werden neu angelegt; prüfen Sie den Datenträger, falls es sich wiederholt.
identity-unreadable = Dieser Benutzer darf die Lizenz lesen, aber nicht danach fragen: { $path }.
    .remedy = Nichts, falls der Dienst der Software als Besitzer dieses Verzeichnisses läuft, denn er fragt; geben Sie das Verzeichnis sonst mit chown dem Benutzer der Software.
busy = Ein anderer Prozess auf diesem Computer fragt gerade an.
    .remedy = Nichts: Seine Antwort gilt für jeden Prozess.
rekey-limit = An einem Tag wurde mehr als dreimal eine Kopie gemeldet, und vor { $until } wird keine weitere Identität erzeugt.
    .remedy = Finden Sie heraus, welche Computer dieses Abbild teilen; die vorhandene Lizenz läuft weiter.

# Was an einem eingegebenen Produktschlüssel nicht stimmt.
key-malformed = Der Produktschlüssel kann nicht stimmen: Prüfen Sie Gruppe { $groups }.
    .remedy = Vergleichen Sie diese Gruppen mit dem Schlüssel, wie Sie ihn erhalten haben, und geben Sie sie noch einmal ein.
key-newer = Der Produktschlüssel ist von einer Art, die diese Version nicht kennt.
    .remedy = Aktualisieren Sie die Software, und geben Sie den Schlüssel dann noch einmal ein.
key-other-kind = Dies ist ein { $kind ->
    [host] Serverschlüssel
    [multiple-activation] Mehrfachaktivierungsschlüssel
    [subscription] Abonnementschlüssel
   *[other] Schlüssel der Art { $kind }
}, und hier wird ein { $wanted ->
    [host] Serverschlüssel
    [multiple-activation] Mehrfachaktivierungsschlüssel
    [subscription] Abonnementschlüssel
   *[other] Schlüssel der Art { $wanted }
} gebraucht.
    .remedy = Geben Sie einen Serverschlüssel am Server Ihrer Organisation ein und einen Mehrfachaktivierungsschlüssel in der Software; oder bitten Sie den Verkäufer um einen Schlüssel der anderen Art.
key-other-product = Dies ist ein Schlüssel für ein anderes Produkt.
    .remedy = Geben Sie ihn in dem Produkt ein, für das er verkauft wurde, oder bitten Sie den Verkäufer um einen Schlüssel für dieses.
key-missing = Auf diesem Computer ist kein Produktschlüssel eingegeben.
    .remedy = Geben Sie zuerst den Schlüssel ein, im Produkt oder mit `kms-client key set --later SCHLÜSSEL`.
key-not-kept = Dieser Computer kennt nur die Nummer des Produktschlüssels { $key }, und das Portal braucht den Schlüssel selbst.
    .remedy = Geben Sie diesen Schlüssel noch einmal ein, im Produkt oder mit `kms-client key set --later SCHLÜSSEL`, und fragen Sie dann noch einmal an.

# Was mit einem Code nicht stimmt, den jemand eingetippt hat. Es wurde nichts gesendet.
codes-not-taken = Diese Version des Produkts nimmt keine Bestätigungscodes an.
    .remedy = Aktivieren Sie über das Internet, oder über eine Datei mit `kms-client proxy`; oder bitten Sie den Hersteller um eine Version, die sie annimmt.
code-malformed = Der Code kann nicht stimmen: Prüfen Sie Gruppe { $groups }.
    .remedy = Vergleichen Sie diese Gruppen mit dem, was Ihnen vorgelesen wurde, und geben Sie sie noch einmal ein.
code-newer = Der Code ist von einer Art, oder gewährt Funktionen, die diese Version nicht kennt.
    .remedy = Aktualisieren Sie das Produkt, und geben Sie den Code dann noch einmal ein.
code-other-installation = Dieser Bestätigungscode ist nicht für diesen Computer mit diesem Produktschlüssel.
    .remedy = Lassen Sie sich vom Hersteller den Installationscode vorlesen, der bestätigt wurde, und vergleichen Sie ihn mit `kms-client key installation-id`; ist er derselbe, bitten Sie noch einmal um den Bestätigungscode.
code-key-out-of-time = Der Schlüssel des Produkts für Bestätigungscodes gilt jetzt nicht: { $cause }.
    .remedy = Prüfen Sie die Uhr dieses Computers; geht sie richtig, bitten Sie den Hersteller um eine Version mit einem neueren Schlüssel, oder aktivieren Sie über das Internet.
code-ended = Dieser Bestätigungscode ist am { $ended_at } abgelaufen.
    .remedy = Prüfen Sie die Uhr dieses Computers; geht sie richtig, bitten Sie den Verkäufer um eine längere Laufzeit, und danach den Hersteller um einen neuen Bestätigungscode.

# Wo das Portal des Herstellers gefragt wird.
no-portal-known = Dieses Produkt nennt kein Portal seines Herstellers.
    .remedy = Aktivieren Sie auf einem anderen Weg, den das Produkt anbietet, oder bitten Sie den Hersteller um eine Version, die sein Portal nennt.
portal-ca-bad = Die CA für das Portal des Herstellers ist unbrauchbar: { $cause }.
    .remedy = Installieren Sie die CA-Zertifikate dieses Systems, wenn das Produkt sie verwendet; sonst melden Sie es dem Hersteller, der die CA im Produkt berichtigen muss.
portal-certificate-bad = Das Portal des Herstellers unter { $address } zeigt ein TLS-Zertifikat, das hier nicht gilt: { $cause }.
    .remedy = Prüfen Sie die Uhr dieses Computers, und ob ein Proxy unterwegs TLS aufbricht: Er muss diese Adresse durchlassen; sonst melden Sie es dem Hersteller, oder aktivieren Sie per Datei.
portal-unreachable = Keine Antwort vom Portal des Herstellers unter { $address }: { $cause }.
    .remedy = Prüfen Sie, ob dieser Computer die Adresse über TLS erreicht, oder aktivieren Sie per Datei; es geht nichts verloren, und noch einmal zu fragen kostet nichts.

# Was das Portal ablehnt.
key-unknown = Der Hersteller hat für dieses Produkt keinen solchen Schlüssel verkauft.
    .remedy = Vergleichen Sie den Schlüssel mit dem, den Sie erhalten haben, und geben Sie ihn noch einmal ein; ist es derselbe, fragen Sie den Verkäufer.
key-blocked = Der Hersteller hat diesen Schlüssel gesperrt.
    .remedy = Fragen Sie den Verkäufer des Schlüssels: An diesem Computer liegt es nicht, und was schon aktiviert ist, bleibt es.
revoked = Der Hersteller hat diese Lizenz zurückgezogen, vom { $at } an.
    .remedy = Fragen Sie den Verkäufer des Schlüssels: An diesem Computer liegt es nicht.
key-ended = Die Laufzeit dieses Schlüssels ist am { $ended_at } abgelaufen.
    .remedy = Kaufen Sie beim Verkäufer einen neuen Schlüssel, und geben Sie ihn ein.
key-exhausted = Jeder Platz dieses Schlüssels ist belegt: { $used } von { $granted }.
    .remedy = Geben Sie einen Computer frei, der nicht mehr gebraucht wird, oder lassen Sie den Schlüssel beim Verkäufer erweitern; fragen Sie dann noch einmal.
hosts-exhausted = Dieser Schlüssel hat so viele Server aktiviert, wie er darf: { $hosts }.
    .remedy = Verwenden Sie einen dieser Server, oder lassen Sie den Schlüssel beim Verkäufer erweitern; fragen Sie dann noch einmal.
activations-exhausted = Dieser Schlüssel hat diesen Server { $activations }-mal aktiviert, so oft, wie er darf.
    .remedy = Lassen Sie den Schlüssel beim Verkäufer erweitern, und fragen Sie noch einmal; das installierte Zertifikat bleibt gültig.
releases-exhausted = Innerhalb eines Jahres wurden so viele Computer dieses Schlüssels freigegeben, wie es dürfen: { $releases }.
    .remedy = Bitten Sie den Verkäufer, den Platz freizugeben, oder warten Sie, bis die erste dieser Freigaben ein Jahr alt ist.
clock-ahead = Die Uhr dieses Computers geht { $by } vor, mehr als { $tolerance }: Laut Portal ist es { $portal_time }.
    .remedy = Stellen Sie die Uhr dieses Computers, lassen Sie sie einem Zeitserver folgen und fragen Sie noch einmal; es wurde nichts gezählt.
not-activated-here = Das Portal hat dies nicht mit dem genannten Schlüssel aktiviert.
    .remedy = Aktivieren Sie zuerst mit dem Schlüssel; zum Freigeben ist nichts zu tun.
too-many-wrong-keys = Von der Adresse dieses Netzes kamen zu viele falsche Schlüssel; der nächste wird in { $wait } geprüft.
    .remedy = Warten Sie, und finden Sie heraus, wer in diesem Netz falsche Schlüssel sendet; um sofort zu aktivieren, verwenden Sie eine Datei.
issuer-ended = Das Portal des Herstellers darf für dieses Produkt zurzeit nicht signieren.
    .remedy = Bitten Sie den Hersteller, am Portal ein neues Ausstellerzertifikat zu installieren; fragen Sie dann noch einmal, es geht nichts verloren.
portal-failed = Das Portal des Herstellers kann zurzeit nicht antworten: { $cause }.
    .remedy = Hier ist nichts zu tun: Fragen Sie später noch einmal, das kostet nichts; bleibt es so, sagen Sie es dem Hersteller.

# Anmelden auf einem Computer.
sign-in-denied = Jemand hat diesen Computer am Portal des Herstellers abgewiesen.
    .remedy = Melden Sie sich noch einmal an, falls das ein Versehen war: Es erscheint ein neuer Code, und wer ihn eingibt, lässt diesen Computer zu.
sign-in-expired = Niemand hat den Code rechtzeitig eingegeben.
    .remedy = Melden Sie sich noch einmal an: Es erscheint ein neuer Code, der 15 Minuten lang eingegeben werden kann.
not-signed-in = Auf diesem Computer ist niemand beim Portal des Herstellers angemeldet.
    .remedy = Melden Sie sich an, im Produkt oder mit `kms-client account sign-in`; eine Lizenz, die schon da ist, gilt bis zu ihrem Ende.
account-not-licensed = Dieses Produkt ist nicht mit dem Konto { $account } verbunden.
    .remedy = Bitten Sie die Verwaltung Ihrer Organisation um eine Lizenz, oder melden Sie sich mit einem anderen Konto an; eine Lizenz, die schon da ist, gilt bis zu ihrem Ende.
too-many-devices = { $account } ist auf { $devices } Geräten angemeldet; für mehr ist die Lizenz nicht.
    .remedy = Melden Sie sich auf einem davon ab, dort oder auf der Seite „Meine Geräte“ im Portal des Herstellers, und melden Sie sich hier noch einmal an.
too-many-sign-ins = An der Adresse dieses Netzes warten zu viele Computer darauf, dass jemand sie zulässt; der nächste kann in { $wait } beginnen.
    .remedy = Warten Sie und melden Sie sich noch einmal an; Codes, die niemand eingibt, verfallen nach 15 Minuten von selbst.

# Was das Portal den Leuten des Herstellers ablehnt.
token-unknown = Das Portal kennt dieses Token nicht.
    .remedy = Nennen Sie mit --token-file die Datei mit dem Token; wer das Portal verwaltet, stellt mit `kms-portal token issue` eines aus.
token-ended = Das Token { $name } ist nicht mehr zu gebrauchen: { $cause }.
    .remedy = Bitten Sie jemanden, der das Portal verwaltet, um ein anderes Token.
not-permitted = Das Token { $name } ist für die Rolle { $role }, und die darf { $call } nicht aufrufen.
    .remedy = Fragen Sie jemanden, dessen Rolle es erlaubt, oder bitten Sie die Verwaltung des Portals um ein Token mit einer anderen Rolle.
too-many-wrong-tokens = Von dieser Adresse kamen zu viele falsche Token; das nächste wird in { $wait } geprüft.
    .remedy = Warten Sie, und finden Sie heraus, welches Programm dort ein falsches Token sendet; auf dem Rechner des Portals selbst wird keines gebraucht.

# Was der Server seiner Administration ablehnt.
not-administrator = Benutzer { $uid } darf diesen Server nicht verwalten.
    .remedy = Führen Sie den Befehl als root aus, oder als der Benutzer, unter dem der Server läuft.
audit-unwritable = Es wurde nichts geändert, weil es sich in { $path } nicht festhalten lässt: { $cause }.
    .remedy = Bringen Sie die Datei oder ihren Datenträger in Ordnung und geben Sie den Befehl noch einmal; Computer werden solange bedient.
machine-unknown = Kein Computer hat eine Kennung, die mit { $id } beginnt.
    .remedy = `kms-host machines` zeigt alle; mit --product wird nur unter denen dieses Produkts gesucht.
machine-ambiguous = Mehr als ein Computer hat eine Kennung, die mit { $id } beginnt, etwa { $first } und { $second }.
    .remedy = Schreiben Sie mehr von der Kennung, oder nennen Sie mit --product das Produkt.
machine-blocked = Der Computer { $machine } ist gesperrt, und ihn zu vergessen würde ihn wieder zulassen.
    .remedy = Heben Sie die Sperre zuerst mit `kms-host machine unblock` auf, wenn Sie das wollen.

# Dieselben Gründe, vom Portal des Herstellers statt von einem Server.
malformed-of-portal = Das Portal des Herstellers kann die Anfrage nicht lesen: { $cause }.
    .remedy = Aktualisieren Sie die Software; ist sie schon die neueste, melden Sie es dem Hersteller.
signature-bad-of-portal = Die Anfrage, die das Portal des Herstellers erreicht hat, ist nicht von dem Computer signiert, den sie nennt.
    .remedy = Etwas unterwegs verändert Nachrichten, oder die Daten dieses Computers sind beschädigt: Führen Sie `kms-client identity reset` aus.
too-large-of-portal = Die Anfrage ist größer als { $limit } Bytes.
    .remedy = Aktualisieren Sie die Software: Ihre Client-Bibliothek sendet mehr, als das Portal des Herstellers liest.
overloaded-of-portal = Beim Portal des Herstellers warten mehr Anfragen, als es annehmen will.
    .remedy = Nichts: Es wird noch einmal gefragt, und das kostet nichts; hält es an, melden Sie es dem Hersteller.
stopping-of-portal = Das Portal des Herstellers wird angehalten.
    .remedy = Nichts: Es wird noch einmal gefragt, und das kostet nichts.
replayed-of-portal = Das Portal des Herstellers hat schon eine spätere Anfrage dieses Computers beantwortet.
    .remedy = Prüfen Sie die Uhr dieses Computers, und fragen Sie in ein paar Stunden noch einmal; wiederholt es sich, sendet jemand aufgezeichnete Anfragen.
untrusted-of-portal = Das Portal des Herstellers unter { $address } signiert mit einem Schlüssel, dem diese Software nicht vertraut: { $cause }.
    .remedy = Aktualisieren Sie die Software; ist sie schon die neueste, melden Sie es dem Hersteller.
other-organisation-of-portal = Der Hersteller hat diesen Schlüssel an eine andere Organisation verkauft, { $organisation }.
    .remedy = Geben Sie einen Schlüssel Ihrer eigenen Organisation ein: Dieses Exemplar der Software ist nur für sie.
answer-mismatch-of-portal = Das Portal des Herstellers unter { $address } hat etwas anderes geantwortet, als gefragt wurde: { $cause }.
    .remedy = Fragen Sie noch einmal, das kostet nichts; bleibt es so, melden Sie es dem Hersteller.
answer-out-of-time-of-portal = Das Portal des Herstellers unter { $address } hat eine Antwort signiert, die zu ihrer Zeit nicht gilt: { $cause }.
    .remedy = Prüfen Sie die Uhr dieses Computers; geht sie richtig, melden Sie es dem Hersteller.
