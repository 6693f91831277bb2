# Domeinen: mails aan beheerders, en aan mensen die geen beheerder hebben.
mail-domain-doubtful-subject = Het record van { $domain } ontbreekt
mail-domain-doubtful-body =
    Het TXT-record dat laat zien dat { $domain } van uw organisatie is, is al twee weken niet gevonden. Er is nog niets veranderd. Zet het record terug vóór { $date }: het staat op de pagina "Domeinen".
mail-domain-lapsed-subject = Het bewijs van { $domain } is vervallen
mail-domain-lapsed-body =
    Het TXT-record dat laat zien dat { $domain } van uw organisatie is, ontbreekt al sinds vóór { $date }. Daarom telt het bewijs niet meer. Beheerders en mensen houden hun accounts, maar via dit domein komt niemand meer bij de organisatie. Voeg het domein opnieuw toe op de pagina "Domeinen" om het weer te bewijzen: u krijgt een nieuw record.
mail-domain-contested-subject = Een andere organisatie heeft { $domain } bewezen
mail-domain-contested-body =
    Een andere organisatie heeft een record gepubliceerd dat laat zien dat { $domain } van haar is. Is het domein van u, zorg dan dat uw record te vinden is: het staat op de pagina "Domeinen". Wordt het vóór { $date } niet gevonden, dan gaat het domein naar de andere organisatie. Uw beheerders en mensen houden hun accounts.
mail-domain-moved-subject = { $domain } is nu van een andere organisatie
mail-domain-moved-body =
    Een andere organisatie heeft { $domain } bewezen op { $date }, en uw record werd niet gevonden. Uw beheerders en mensen houden hun accounts, maar via dit domein komt niemand meer bij uw organisatie.
mail-domain-taken-over-subject = De accounts van { $domain } hebben een beheerder
mail-domain-taken-over-body =
    { $administrator } heeft bewezen dat { $domain } van uw organisatie is en beheert vanaf nu de accounts, ook het uwe. Uw account blijft zoals u het hebt ingesteld: naam, wachtwoord, taal en apparaten. Beheerders kunnen u licenties geven en zien uw naam en adres.
# Domains: pages.
tab-domains = Domeinen
domains-about = De organisatie laat met een TXT-record in DNS zien dat een domein van haar is. Het record moet blijven staan: er wordt elke week naar gekeken.
domains-none = De organisatie heeft nog geen domeinen.
domains-add = Domein toevoegen
domains-domain = Domein
domains-scope = Waarvoor het geldt
scope-name = Alleen deze naam
scope-tree = Deze naam en alles eronder
domains-look = Nu kijken naar { $domain }
domains-remove = { $domain } verwijderen
domains-looked = Laatst gekeken om { $at }.
domains-next-look = Volgende keer om { $at }.
domains-waits = Publiceer dit record. Er wordt naar gezocht tot { $date }.
domains-ended = Het record is niet op tijd gevonden. Voeg het domein opnieuw toe: u krijgt een ander record.
domains-held = Bewezen op { $date }.
domains-doubtful = Het record ontbreekt. Zet het terug vóór { $date }, anders vervalt het bewijs.
domains-lapsed = Het bewijs is vervallen. Voeg het domein opnieuw toe: u krijgt een ander record.
domains-contested = Een andere organisatie heeft dit domein. Zij kan het tot { $date } opnieuw bewijzen; anders is het van u.
domains-moves = De andere organisatie heeft het domein niet opnieuw bewezen. Zodra uw record weer wordt gevonden, is het van u.
domains-to-staff = Twee organisaties hebben dit domein bewezen. De leverancier beslist; vraag het daar.
done-domain-begun = Het domein is toegevoegd. Publiceer het record.
done-domain-removed = Het domein is verwijderd.
record-name = Naam
record-type = Type
record-value = Waarde
looked-just-now = Hier is net naar gekeken. Wacht tien seconden.
looked-unanswered = Geen nameserver van het domein heeft geantwoord, dus is er niets veranderd: { $faults }
looked-other = Er staan records bij deze naam, maar niet het juiste: { $texts }
looked-twice = Het record staat bij { $name }: uw provider voegt het domein zelf toe. Vul de naam in zonder het domein.
looked-missing = Het record is nog niet gevonden. Bij nameservers kan dat enkele minuten duren; er wordt vanzelf opnieuw gekeken.
looked-found = Het record van { $domain } is gevonden.
looked-gone = Er is niets meer om naar te kijken.
domain-refused-no-domain = Dit is geen domein.
domain-refused-ending = Iedereen registreert domeinen hieronder, dus is het van niemand alleen.
domain-refused-provider = Een provider geeft iedereen namen onder dit domein. Voeg de naam eronder toe die van u is.
domain-refused-public-mail = Iedereen kan bij dit domein een mailbox hebben, dus is het van niemand alleen.
domain-refused-no-mailbox = U hebt een mailbox bij dit domein nodig die u met een link hebt bevestigd.
domain-refused-held = Een organisatie heeft dit domein. Vraag haar beheerders om een account.
domain-refused-has-licenses = Dit account heeft persoonlijke licenties. Registreer een ander account voor uw werk.
domain-refused-too-many = De organisatie heeft 100 domeinen. Verwijder er een, of vraag de leverancier.
domain-refused-taken = Een ander account daar heeft dit adres.
become-title = Beheerder worden
become-join = Uw account is persoonlijk. Gebruikt u het voor uw werk, dan kan het bij de andere accounts van { $domain } horen. U wordt hun beheerder als u bewijst dat het domein van uw organisatie is.
become-join-stays = Uw naam, wachtwoord, taal en apparaten blijven zoals ze zijn. Een beheerder van { $domain } ziet uw naam en adres.
become-join-button = Mijn account gebruiken voor werk bij { $domain }
become-prove = De accounts van { $domain } hebben geen beheerder. Wie als eerste bewijst dat het domein van uw organisatie is, wordt hun beheerder.
become-record-button = Toon het record
become-publish = Publiceer dit record in de DNS van { $domain }, of geef het aan wie die beheert.
become-publish-hint = Kijk nu als het er staat. U kunt ook later terugkomen: er wordt zeven dagen lang vanzelf naar gezocht.
become-ask = Uw organisatie heeft al beheerders. Vraag een van hen.
become-people = { $count ->
    [one] U beheert { $count } account: het uwe.
   *[other] U beheert { $count } accounts, met het uwe. Alle anderen hebben een mail gekregen.
}
become-who = Wie hier zijn
become-buy = Licenties kopen
become-buy-first = { $count ->
    [one] Koop een licentie voor { $count } persoon. Zolang er niets gekocht is, ziet u de mensen en beheert u niets.
   *[other] Koop licenties voor { $count } mensen. Zolang er niets gekocht is, ziet u de mensen en beheert u niets.
}
become-bought = Geef wat u gekocht hebt aan iedereen die hier is.
become-free = Vrije plaatsen: { $count }
become-buy-offer = { $offer } kopen
become-buy-ask = Vraag de leverancier erom.
become-license-button = Geef iedereen { $offer }
become-licensed = Hebben nu een licentie: { $served }. Zonder: { $refused }; de pagina "Licenties" zegt waarom, zoals een ontbrekende locatie.
