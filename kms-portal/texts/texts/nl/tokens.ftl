# Tokens for programs.
tab-tokens = Tokens
tokens-about = Met een token doet een programma via de API (/api/v1) wat de rollen van het token toestaan, en nooit meer dan u mag.
tokens-made = Het token wordt alleen nu getoond. Kopieer het nu:
tokens-none = Er zijn er geen.
tokens-ends = Eindigt
tokens-used = Laatst gebruikt
tokens-revoke = Intrekken
tokens-revoke-one = { $name } intrekken
tokens-new = Nieuw token
tokens-name = Waar het voor is
tokens-days = Eindigt na zoveel dagen
tokens-make = Token maken
tokens-name-fault = Een naam heeft 1 tot 200 tekens.
done-token-revoked = Het token is ingetrokken en niet meer bruikbaar.
