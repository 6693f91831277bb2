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
