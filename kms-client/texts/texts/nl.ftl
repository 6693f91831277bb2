# Nederlands.

date = { $day } { $month ->
    [1] januari
    [2] februari
    [3] maart
    [4] april
    [5] mei
    [6] juni
    [7] juli
    [8] augustus
    [9] september
    [10] oktober
    [11] november
   *[12] december
} { $year }
length = { $unit ->
    [days] { $count ->
        [one] { $count } dag
       *[other] { $count } dagen
    }
    [hours] { $count } uur
   *[minutes] { $count ->
        [one] { $count } minuut
       *[other] { $count } minuten
    }
}

license-in-grace = Deze software is nog niet geactiveerd. Dat gebeurt vóór { $until } vanzelf; u hoeft niets te doen.
license-licensed = Gelicentieerd tot { $until }. De licentie wordt vanzelf verlengd.
license-renewal-overdue = Gelicentieerd tot { $until }. De licentie had op { $since } verlengd moeten worden; de software blijft het proberen.
license-expiring-soon = De licentie loopt af op { $until }. Verbind deze computer met het netwerk van uw organisatie, zodat de licentie kan worden verlengd.
license-lapsed = De licentie is op { $since } afgelopen. De software blijft werken. Verbind deze computer met het netwerk van uw organisatie om de licentie te verlengen.
license-never-activated = Deze software had vóór { $since } geactiveerd moeten zijn. De software blijft werken. Verbind deze computer met het netwerk van uw organisatie om de software te activeren.
license-clock-wrong = De klok van deze computer loopt { $by } { $direction ->
    [ahead] voor
   *[behind] achter
}. Zet de klok gelijk; daarna kan de licentie worden verlengd.{ $until ->
    [none] {""}
   *[other] {" "}De software is gelicentieerd tot { $until }.
}
license-without-end = Gelicentieerd zonder einddatum.
license-key-entered = Er is een productsleutel ingevoerd, en deze software is er nog niet mee geactiveerd. Maak verbinding met internet en activeer; intussen werkt de software.
license-by-key = Gelicentieerd tot { $until } met een productsleutel.
license-key-ends-soon = De productsleutel loopt af op { $until }. Vraag de verkoper om een langere looptijd of een nieuwe sleutel.
license-key-ended = De productsleutel is op { $since } afgelopen. De software blijft werken. Vraag de verkoper om een langere looptijd of een nieuwe sleutel.
license-key-revoked = De leverancier heeft de licentie van deze productsleutel op { $since } ingetrokken. De software blijft werken. Vraag het de verkoper: aan deze computer ligt het niet.
license-by-account = Gelicentieerd tot { $until } via het aangemelde account. De licentie wordt vanzelf verlengd.
license-account-ends-soon = De licentie van het aangemelde account loopt af op { $until }. Maak verbinding met internet, zodat ze kan worden verlengd, of meld u opnieuw aan.
license-account-ended = De licentie van het aangemelde account is op { $since } afgelopen. De software blijft werken. Maak verbinding met internet, of meld u opnieuw aan.
license-hardware-changed = De hardware van deze computer is veranderd; dat is op { $since } opgemerkt. Maak verbinding met internet, dan activeert de software haar productsleutel opnieuw. Ze blijft werken.

# De wizard, in een venster of een terminal.
wizard-enter-key = Typ de productsleutel: vijf groepen van vijf tekens.
wizard-now-or-later = Productsleutel { $key } is op deze computer bewaard. Nu activeren, of later?
wizard-way = Hoe wilt u activeren?
wizard-working = Een ogenblik geduld.
wizard-no-connection = Er is geen verbinding met de leverancier. De productsleutel blijft op deze computer bewaard.
wizard-failed = De activering is niet gelukt. De productsleutel blijft op deze computer bewaard.
wizard-country = Vanuit welk land belt u?
wizard-region = Vanuit welk deel van het land belt u?
wizard-numbers = Bel een van deze nummers, en laat dit open staan.
wizard-installation-id = Lees deze installatiecode voor aan de leverancier, groep voor groep.
wizard-confirmation = Typ de bevestigingscode die u wordt voorgelezen, een of meer groepen tegelijk.
wizard-licensed = Deze software is geactiveerd.
wizard-later = De productsleutel blijft op deze computer bewaard. De software vraagt het opnieuw bij de volgende start.
wizard-key-before = Tot dan blijft productsleutel { $before } actief.
wizard-key-replaced = De leverancier telt deze computer ook nog mee voor productsleutel { $before }.
wizard-give-back = Zo geeft u die plaats terug: { $command }
wizard-choose-now = Nu activeren
wizard-choose-later = Later activeren
wizard-choose-internet = Via internet
wizard-choose-telephone = Per telefoon
wizard-choose-retry = Opnieuw proberen
wizard-choose-other-key = Een andere productsleutel invoeren
wizard-choose-continue = Verder
wizard-choose-back = Terug
wizard-number = Telefoon: { $number }
wizard-text-telephone = Teksttelefoon: { $number }
wizard-region-of-number = Regio: { $region }
wizard-hours = Bereikbaar: { $hours }
wizard-languages = Talen: { $languages }
wizard-letters = Hetzelfde voor een toetsenbord:
wizard-leave = Stoppen
wizard-empty-goes-back = Een lege regel gaat terug.
wizard-empty-leaves = Een lege regel stopt.
wizard-proposed = Een lege regel kiest { $country }.
wizard-not-offered = Typ een getal van 0 tot en met { $last }.
wizard-groups-wrong = Foute groepen: { $groups }. Die regel is niet overgenomen: typ hem opnieuw, vanaf groep { $next }.
wizard-groups-right = Tot hier klopt het. Ga verder met groep { $next } van { $all }.
wizard-left = Er is niets verloren. De volgende keer gaat het hier verder.

fault-nobody = Niemand hoeft iets te doen.
fault-machine = De beheerder van deze computer kan dit oplossen.
fault-host = De beheerder van de activeringsserver kan dit oplossen.
fault-network = De beheerder van het netwerk kan dit oplossen.
fault-vendor = De leverancier van deze software kan dit oplossen.

unknown = De activering is mislukt om een reden die deze versie niet kent: { $code }
    .remedy = Werk deze software bij.
unsigned = { $text } (zonder handtekening, afkomstig van { $by })

# Waar de software een server zoekt.
no-host-known = Er is geen activeringsserver ingesteld, en deze computer heeft geen DNS-domein waarin er een te zoeken is.
    .remedy = Stel een server in met `kms-client host set NAAM`, of geef de computer een DNS-domein of zoeklijst.
dns-no-record = DNS kent geen activeringsserver: { $name } heeft geen SRV-record.
    .remedy = Publiceer onder die naam een SRV-record dat naar de server wijst, of stel op deze computer een server in.
dns-failed = DNS gaf geen antwoord voor { $name }: { $cause }.
    .remedy = Controleer de DNS-server van deze computer; het is niet zo dat de naam ontbreekt, er heeft niemand geantwoord.
dns-not-offered = Volgens DNS heeft { $name } geen activeringsserver: het record heeft als doel `.`.
    .remedy = Vervang het door een SRV-record dat naar de server wijst, of stel op deze computer een server in.
dns-port-zero = Het SRV-record { $name } noemt poort 0 voor { $target }, en daar kan niemand worden bereikt.
    .remedy = Verbeter het record: de poort is die waarop de server luistert.
dns-target-bad = Een SRV-record heeft als doel { $target }, en dat is geen servernaam: { $cause }.
    .remedy = Verbeter het record: het doel is de volledige naam van een server, zoals `host.corp.example.`, en die naam heeft een adresrecord.
dns-setting-bad = Een DNS-instelling van deze computer is onbruikbaar: { $cause }.
    .remedy = Verbeter die instelling, in /etc/resolv.conf of waar het domein is opgegeven; al het andere wordt intussen gebruikt.
not-tried = { $name } is niet geprobeerd: de vorige namen al { $limit } in beslag.
    .remedy = Niets: de volgende ronde begint ermee; het gaat sneller als servers die er niet meer zijn uit DNS verdwijnen.
host-name-bad = Een servernaam is onleesbaar: { $cause }.
    .remedy = Schrijf NAAM, NAAM:POORT of [IPv6-adres]:POORT, in `kms-client host set` of in KMS_HOSTS.
hosts-file-bad = Het bestand “hosts” is onbruikbaar: { $cause }.
    .remedy = Noem minder servers, of laat deze gebruiker het bestand lezen; `kms-client host set NAAM` schrijft een nieuw.
host-name-unknown = De naam { $name } heeft geen adres.
    .remedy = Verbeter het doel van het SRV-record of de ingestelde naam, of voeg er een adresrecord voor toe.
host-unreachable = Geen verbinding met { $address }: { $cause }.
    .remedy = Controleer of de server draait en of geen firewall of zijn instelling `allow` ertussen zit; een verouderd SRV-record noemt servers die er niet meer zijn.
host-silent = { $address } antwoordde niet op tijd.
    .remedy = Controleer de belasting van de server en het netwerk; de volgende server in DNS wordt meteen geprobeerd.
not-a-host = Wat op { $address } antwoordt, is geen activeringsserver: { $cause }.
    .remedy = Verbeter de poort in het SRV-record of de ingestelde naam.

# TLS.
tls-files-bad = De TLS-bestanden van deze computer zijn onbruikbaar: { $cause }.
    .remedy = Herstel het bestand, KMS_TLS_CA, KMS_TLS_CERTIFICATE of KMS_TLS_KEY; intussen wordt niets onversleuteld gevraagd.
tls-required = De server accepteert aanvragen alleen via TLS.
    .remedy = Geef deze computer het bestand van de CA van de organisatie in KMS_TLS_CA, of geef het aan de software als die erom vraagt.
tls-not-offered = { $address } spreekt geen TLS 1.3: { $cause }.
    .remedy = Stel op de server `tls` en het certificaat in, of verbeter de poort; deze computer mag niets anders spreken.
tls-certificate-bad = { $address } toont een TLS-certificaat dat hier niet geldt: { $cause }.
    .remedy = Laat de CA er een ondertekenen voor de naam die de computers gebruiken, en verleng het op tijd; of geef deze computer de CA die dat al heeft gedaan.
tls-machine-refused = { $address } accepteert het TLS-certificaat van deze computer niet: { $cause }.
    .remedy = Geef de computer er een dat door `tls_client_ca` van de server is ondertekend, in KMS_TLS_CERTIFICATE en KMS_TLS_KEY.
tls-failed = Geen TLS met { $address }: { $cause }.
    .remedy = Ga na wat er tussen computer en server staat, en bekijk het logboek van de server.

# Wat de server zonder handtekening weigert.
too-many-bad-asks = Er kwamen foute aanvragen van { $from }, meer dan { $limit } per minuut: de server luistert daar alleen nog naar computers die hij kent.
    .remedy = Wacht even; de beheerder van de server vindt het adres met `kms-host sources` en wat het stuurt met `kms-host refusals`.
too-large = De aanvraag is groter dan { $limit } bytes.
    .remedy = Werk de software bij: haar clientbibliotheek stuurt meer dan deze versie van de server leest.
malformed = De server kan de aanvraag niet lezen: { $cause }.
    .remedy = Werk de software bij, of de server als die de oudste van de twee is.
product-unknown = De server heeft geen certificaat voor product { $product }.
    .remedy = Installeer op de server het certificaat van de leverancier voor dit product, of verwijs de computer naar de juiste server.
signature-bad = De aanvraag is niet ondertekend door de computer die ze noemt.
    .remedy = Iets onderweg verandert berichten, of de gegevens van deze computer zijn beschadigd: voer `kms-client identity reset` uit.
overloaded = Er wachten bij de server meer aanvragen dan hij wil vasthouden.
    .remedy = Niets: er wordt opnieuw gevraagd; als het aanhoudt, bekijk dan schijf en processor van de server.
ledger-failed = De server kon niet naar zijn schijf schrijven.
    .remedy = Bekijk het logboek en de schijf van de server; hij is gestopt, zodat niets wordt bevestigd wat niet is opgeschreven.
ledger-damaged = De server kan niet lezen wat hij van deze computer weet: zijn schijf heeft een deel van het register beschadigd.
    .remedy = Op de server: stop hem, `kms-host export --salvage BESTAND`, verplaats het register, `kms-host import BESTAND`; andere computers worden intussen bediend.
signer-failed = De server kon zijn ondertekensleutel niet gebruiken.
    .remedy = Bekijk het logboek van de server en de sleutel waarmee hij ondertekent.
stopping = De server wordt gestopt.
    .remedy = Niets: de volgende server wordt gevraagd, of deze zodra hij terug is.

# Wat de server met een handtekening weigert.
host-clock = De server twijfelt aan zijn eigen klok: { $cause }.
    .remedy = Zet de klok van de server gelijk en voer dan `kms-host clock confirm` uit; intussen verdwijnt niemand uit de telling.
clock-skew = De klok van deze computer loopt { $by } { $direction ->
    [ahead] voor
   *[behind] achter
} op die van de server, meer dan { $tolerance }: volgens de server is het { $host_time }.
    .remedy = Zet de klok van deze computer gelijk en laat hem een tijdserver volgen; intussen gaat niets verloren.
certificate-ended = Het certificaat { $certificate } van de server is verlopen op { $not_after }.
    .remedy = Verleng het certificaat van de server bij de leverancier; leases die al zijn uitgegeven, lopen door.
certificate-not-begun = Het certificaat { $certificate } van de server geldt pas vanaf { $not_before }.
    .remedy = Controleer de klok van de server, of wacht die dag af.
disk-full = De server heeft te weinig vrije ruimte op zijn schijf om iemand te tellen.
    .remedy = Maak ruimte vrij op de schijf met de gegevensmap van de server: hij gaat vanzelf verder, en intussen gaat niets verloren.
chain-needed = De server heeft de certificaten nodig van de lease die werd getoond.
    .remedy = Niets: de computer vraagt meteen opnieuw en stuurt ze mee.
new-machines-limited = Er kwamen nieuwe computers van { $from }, meer dan { $limit } op één dag: deze wordt later opgenomen.
    .remedy = Op deze computer niets, hij vraagt opnieuw; bij een uitrol verhoogt de beheerder van de server new_machines_per_source en new_machines_per_site.
replayed = De server heeft al een latere aanvraag van deze computer beantwoord.
    .remedy = Niets, tenzij het zich herhaalt: dan stuurt iemand opgenomen aanvragen.
copied = Een andere computer gebruikt dezelfde identiteit, of de schijf van deze computer is teruggezet.
    .remedy = Niets: deze computer maakt een nieuwe identiteit en houdt intussen zijn licentie; generaliseer images voordat ze worden gekopieerd.
blocked = De beheerder van de server heeft deze computer geblokkeerd.
    .remedy = Vraag het de beheerder van de server.
count-below-threshold = Getelde computers: { $count } van de { $threshold } die nodig zijn.
    .remedy = Op deze computer niets: hij krijgt vanzelf een licentie zodra er genoeg andere hebben gevraagd.

# Wat de software niet accepteert.
untrusted = { $address } is geen server van deze leverancier: { $cause }.
    .remedy = Zoek uit wie hem beheert: hij heeft geen certificaat dat deze software vertrouwt.
other-organisation = { $address } is de server van een andere organisatie, { $organisation }.
    .remedy = Verbeter DNS, of voer `kms-client organisation clear` uit als deze computer van eigenaar is veranderd.
answer-mismatch = { $address } antwoordde iets anders dan er was gevraagd: { $cause }.
    .remedy = Meld het de beheerder van de server: antwoorden worden verwisseld of opgenomen.
answer-out-of-time = { $address } ondertekende een antwoord dat op dat moment niet geldt: { $cause }.
    .remedy = Controleer de klokken van server en computer, en het certificaat van de server.
beyond-limits = { $address } ondertekende meer dan zijn certificaat toestaat: { $cause }.
    .remedy = Meld het de leverancier: mogelijk is de sleutel van de server gestolen.
host-revoked = De leverancier heeft het certificaat van { $address } ingetrokken: { $cause }.
    .remedy = Vraag de leverancier een ander certificaat voor die server, of haal de server uit de DNS. Een licentie die er al is, loopt door tot haar einde.
newer-protocol = { $address } antwoordde op een manier waarvoor een nieuwere clientbibliotheek nodig is.
    .remedy = Werk de software bij.

# Wat deze computer zelf niet kan.
state-unwritable = In { $path } kan niets worden bewaard: { $cause }.
    .remedy = Maak de map schrijfbaar voor de software; tot dan loopt een bestaande lease door, en een nieuwe eindigt met het proces.
state-unreadable = De gegevens in { $path } zijn niet te lezen: { $cause }.
    .remedy = Geef de gebruiker van de software leesrecht, of bekijk de schijf; tot dan wordt er niets in veranderd.
state-newer = De gegevens in { $path } zijn door een nieuwere versie geschreven: { $cause }.
    .remedy = Werk deze software of deze opdracht bij; de gegevens blijven zoals ze zijn.
state-damaged = De bewaarde gegevens in { $path } zijn beschadigd: { $cause }.
    .remedy = Niets: ze worden opnieuw gemaakt; bekijk de schijf als het zich herhaalt.
identity-unreadable = Deze gebruiker mag de licentie lezen maar er niet om vragen: { $path }.
    .remedy = Niets, als de dienst van de software draait als eigenaar van die map, want dan vraagt die; geef anders de map met chown aan de gebruiker van de software.
busy = Een ander proces op deze computer is aan het vragen.
    .remedy = Niets: het antwoord geldt voor elk proces.
rekey-limit = Er is meer dan drie keer op een dag een kopie gemeld, en er wordt geen nieuwe identiteit gemaakt vóór { $until }.
    .remedy = Zoek uit welke computers dit image delen; de huidige licentie loopt door.

# Wat er mis is met een ingevoerde productsleutel.
key-malformed = De productsleutel kan niet kloppen: kijk naar groep { $groups }.
    .remedy = Vergelijk deze groepen met de sleutel zoals u hem hebt gekregen, en typ ze opnieuw.
key-newer = De productsleutel is van een soort die deze versie niet kent.
    .remedy = Werk deze software bij en voer de sleutel daarna opnieuw in.
key-other-kind = Dit is een { $kind ->
    [host] serversleutel
    [multiple-activation] sleutel voor meerdere activeringen
    [subscription] abonnementssleutel
   *[other] sleutel van de soort { $kind }
}, en hier is een { $wanted ->
    [host] serversleutel
    [multiple-activation] sleutel voor meerdere activeringen
    [subscription] abonnementssleutel
   *[other] sleutel van de soort { $wanted }
} nodig.
    .remedy = Voer een serversleutel in op de server van uw organisatie, en een sleutel voor meerdere activeringen in de software; of vraag de verkoper om een sleutel van de andere soort.
key-other-product = Dit is een sleutel voor een ander product.
    .remedy = Voer hem in bij het product waarvoor hij is verkocht, of vraag de verkoper om een sleutel voor dit product.
key-missing = Op deze computer is geen productsleutel ingevoerd.
    .remedy = Voer eerst de sleutel in, in het product of met `kms-client key set --later SLEUTEL`.
key-not-kept = Deze computer kent alleen het nummer van productsleutel { $key }, en het portaal heeft de sleutel zelf nodig.
    .remedy = Voer die sleutel opnieuw in, in het product of met `kms-client key set --later SLEUTEL`, en vraag het dan opnieuw.

# Wat er mis is met een code die iemand heeft ingetypt. Er is niets verstuurd.
codes-not-taken = Deze versie van het product neemt geen bevestigingscodes aan.
    .remedy = Activeer via internet, of via een bestand met `kms-client proxy`; of vraag de leverancier om een versie die ze wel aanneemt.
code-malformed = De code kan niet kloppen: kijk naar groep { $groups }.
    .remedy = Vergelijk deze groepen met wat u is voorgelezen, en typ ze opnieuw.
code-newer = De code is van een soort, of geeft functies, die deze versie niet kent.
    .remedy = Werk het product bij en voer de code daarna opnieuw in.
code-other-installation = Deze bevestigingscode is niet voor deze computer met deze productsleutel.
    .remedy = Laat de leverancier de installatiecode voorlezen die is bevestigd, en vergelijk die met `kms-client key installation-id`; als het dezelfde is, vraag dan nog een keer om de bevestigingscode.
code-key-out-of-time = De sleutel van het product voor bevestigingscodes is nu niet geldig: { $cause }.
    .remedy = Controleer de klok van deze computer; als die goed staat, vraag de leverancier dan om een versie met een nieuwere sleutel, of activeer via internet.
code-ended = Deze bevestigingscode is op { $ended_at } afgelopen.
    .remedy = Controleer de klok van deze computer; als die goed staat, vraag de verkoper dan om een langere termijn, en daarna de leverancier om een nieuwe bevestigingscode.

# Waar het portaal van de leverancier wordt gevraagd.
no-portal-known = Dit product noemt geen portaal van zijn leverancier.
    .remedy = Activeer op een andere manier die het product biedt, of vraag de leverancier om een versie die zijn portaal noemt.
portal-ca-bad = De CA voor het portaal van de leverancier is onbruikbaar: { $cause }.
    .remedy = Installeer de CA-certificaten van dit systeem als het product die gebruikt; meld het anders bij de leverancier, die de CA in het product moet verbeteren.
portal-certificate-bad = Het portaal van de leverancier op { $address } toont een TLS-certificaat dat hier niet geldt: { $cause }.
    .remedy = Controleer de klok van deze computer, en of een proxy onderweg TLS openbreekt: die moet dit adres doorlaten; meld het anders bij de leverancier, of activeer met een bestand.
portal-unreachable = Geen antwoord van het portaal van de leverancier op { $address }: { $cause }.
    .remedy = Controleer of deze computer dat adres via TLS bereikt, of activeer met een bestand; er gaat niets verloren, en opnieuw vragen kost niets.

# Wat het portaal weigert.
key-unknown = De leverancier heeft voor dit product geen sleutel verkocht die zo luidt.
    .remedy = Vergelijk de sleutel met wat u hebt gekregen en voer hem opnieuw in; is hij hetzelfde, vraag het dan de verkoper.
key-blocked = De leverancier heeft deze sleutel geblokkeerd.
    .remedy = Vraag het de verkoper van de sleutel: aan deze computer ligt het niet, en wat al geactiveerd is, blijft dat.
revoked = De leverancier heeft deze licentie ingetrokken, vanaf { $at }.
    .remedy = Vraag het de verkoper van de sleutel: aan deze computer ligt het niet.
key-ended = De looptijd van deze sleutel is op { $ended_at } afgelopen.
    .remedy = Koop bij de verkoper een nieuwe sleutel en voer die in.
key-exhausted = Elke plaats van deze sleutel is bezet: { $used } van { $granted }.
    .remedy = Geef een computer vrij die niet meer wordt gebruikt, of laat de verkoper de sleutel verruimen; vraag het dan opnieuw.
hosts-exhausted = Deze sleutel heeft zoveel servers geactiveerd als hij mag: { $hosts }.
    .remedy = Gebruik een van die servers, of laat de verkoper de sleutel verruimen; vraag het dan opnieuw.
activations-exhausted = Deze sleutel heeft deze server zo vaak geactiveerd als hij mag: { $activations } keer.
    .remedy = Laat de verkoper de sleutel verruimen en vraag het dan opnieuw; het geïnstalleerde certificaat blijft geldig.
releases-exhausted = Van deze sleutel zijn binnen een jaar zoveel computers vrijgegeven als er mogen: { $releases }.
    .remedy = Vraag de verkoper de plaats vrij te geven, of wacht tot de eerste van die vrijgaven een jaar oud is.
clock-ahead = De klok van deze computer loopt { $by } voor, meer dan { $tolerance }: volgens het portaal is het { $portal_time }.
    .remedy = Zet de klok van deze computer goed, laat hem een tijdserver volgen en vraag opnieuw; er is niets geteld.
not-activated-here = Het portaal heeft dit niet geactiveerd met de sleutel die wordt genoemd.
    .remedy = Activeer eerst met de sleutel; om vrij te geven hoeft u niets te doen.
too-many-wrong-keys = Van het adres van dit netwerk kwamen te veel verkeerde sleutels; de volgende wordt over { $wait } opgezocht.
    .remedy = Wacht, en zoek uit wie op dit netwerk verkeerde sleutels stuurt; gebruik een bestand om nu te activeren.
issuer-ended = Het portaal van de leverancier mag op dit moment niet voor dit product ondertekenen.
    .remedy = Vraag de leverancier een nieuw uitgeverscertificaat op het portaal te installeren; vraag het dan opnieuw, er gaat niets verloren.
portal-failed = Het portaal van de leverancier kan op dit moment niet antwoorden: { $cause }.
    .remedy = Hier hoeft u niets te doen: vraag het later opnieuw, dat kost niets; blijft het zo, meld het dan bij de leverancier.

# Aanmelden op een computer.
sign-in-denied = Iemand heeft deze computer afgewezen op het portaal van de leverancier.
    .remedy = Meld u opnieuw aan als dat een vergissing was: er verschijnt een nieuwe code, en wie die intypt, laat deze computer toe.
sign-in-expired = Niemand heeft de code op tijd ingetypt.
    .remedy = Meld u opnieuw aan: er verschijnt een nieuwe code, die 15 minuten lang kan worden ingetypt.
not-signed-in = Op deze computer is niemand aangemeld bij het portaal van de leverancier.
    .remedy = Meld u aan, in het product of met `kms-client account sign-in`; een licentie die er al is, loopt door tot haar einde.
account-not-licensed = Dit product is niet gekoppeld aan het account { $account }.
    .remedy = Vraag de beheerder van uw organisatie om een licentie, of meld u aan met een ander account; een licentie die er al is, loopt door tot haar einde.
too-many-devices = { $account } is aangemeld op { $devices } apparaten; de licentie is voor niet meer.
    .remedy = Meld u op een ervan af, daar of op de pagina ‘Mijn apparaten’ van het portaal van de leverancier, en meld u hier opnieuw aan.
too-many-sign-ins = Op het adres van dit netwerk wachten te veel computers tot iemand ze toelaat; de volgende kan over { $wait } beginnen.
    .remedy = Wacht even en meld u opnieuw aan; codes die niemand intypt, vervallen vanzelf na 15 minuten.

# Wat het portaal de medewerkers van de leverancier weigert.
token-unknown = Het portaal kent dit token niet.
    .remedy = Noem met --token-file het bestand met het token; een beheerder van het portaal maakt er een met `kms-portal token issue`.
token-ended = Het token { $name } is niet meer bruikbaar: { $cause }.
    .remedy = Vraag een beheerder van het portaal om een ander token.
not-permitted = Het token { $name } is voor de rol { $role }, en die mag { $call } niet aanroepen.
    .remedy = Vraag het een collega wiens rol het toestaat, of vraag een beheerder van het portaal om een token met een andere rol.
too-many-wrong-tokens = Van dit adres kwamen te veel verkeerde tokens; het volgende wordt over { $wait } opgezocht.
    .remedy = Wacht, en zoek uit welk programma daar een verkeerd token stuurt; op de machine van het portaal zelf is geen token nodig.

# Wat de server een beheerder weigert.
not-administrator = Gebruiker { $uid } mag deze server niet beheren.
    .remedy = Voer de opdracht uit als root, of als de gebruiker waaronder de server draait.
audit-unwritable = Er is niets veranderd, omdat het niet kan worden vastgelegd in { $path }: { $cause }.
    .remedy = Herstel dat bestand of zijn schijf en geef de opdracht opnieuw; computers worden intussen bediend.
machine-unknown = Geen computer heeft een id dat begint met { $id }.
    .remedy = `kms-host machines` toont ze allemaal; met --product wordt alleen onder die van dat product gezocht.
machine-ambiguous = Meer dan één computer heeft een id dat begint met { $id }, zoals { $first } en { $second }.
    .remedy = Schrijf meer van het id, of noem het product met --product.
machine-blocked = Computer { $machine } is geblokkeerd, en door hem te vergeten zou hij weer worden toegelaten.
    .remedy = Hef eerst de blokkering op met `kms-host machine unblock`, als u dat wilt.

# Dezelfde redenen, van het portaal van de leverancier in plaats van een server.
malformed-of-portal = Het portaal van de leverancier kan de aanvraag niet lezen: { $cause }.
    .remedy = Werk de software bij; is ze al de nieuwste, meld het dan bij de leverancier.
signature-bad-of-portal = De aanvraag die het portaal van de leverancier bereikte, is niet ondertekend door de computer die ze noemt.
    .remedy = Iets onderweg verandert berichten, of de gegevens van deze computer zijn beschadigd: voer `kms-client identity reset` uit.
too-large-of-portal = De aanvraag is groter dan { $limit } bytes.
    .remedy = Werk de software bij: haar clientbibliotheek stuurt meer dan het portaal van de leverancier leest.
overloaded-of-portal = Er wachten bij het portaal van de leverancier meer aanvragen dan het wil vasthouden.
    .remedy = Niets: er wordt opnieuw gevraagd, en dat kost niets; als het aanhoudt, meld het dan bij de leverancier.
stopping-of-portal = Het portaal van de leverancier wordt gestopt.
    .remedy = Niets: er wordt opnieuw gevraagd, en dat kost niets.
replayed-of-portal = Het portaal van de leverancier heeft al een latere aanvraag van deze computer beantwoord.
    .remedy = Controleer de klok van deze computer, en vraag het over een paar uur opnieuw; herhaalt het zich, dan stuurt iemand opgenomen aanvragen.
untrusted-of-portal = Het portaal van de leverancier op { $address } ondertekent met een sleutel die deze software niet vertrouwt: { $cause }.
    .remedy = Werk de software bij; is ze al de nieuwste, meld het dan bij de leverancier.
other-organisation-of-portal = De leverancier heeft deze sleutel aan een andere organisatie verkocht, { $organisation }.
    .remedy = Voer een sleutel van uw eigen organisatie in: dit exemplaar van de software is alleen voor haar.
answer-mismatch-of-portal = Het portaal van de leverancier op { $address } antwoordde iets anders dan er was gevraagd: { $cause }.
    .remedy = Vraag het opnieuw, dat kost niets; blijft het zo, meld het dan bij de leverancier.
answer-out-of-time-of-portal = Het portaal van de leverancier op { $address } ondertekende een antwoord dat op dat moment niet geldt: { $cause }.
    .remedy = Controleer de klok van deze computer; als die goed staat, meld het dan bij de leverancier.
