# Tokens for programs.
tab-tokens = Jetons
tokens-about = Avec un jeton, un programme fait par l’API (/api/v1) ce que ses rôles permettent, et jamais plus que ce que vous pouvez faire.
tokens-made = Le jeton n’est affiché que cette fois. Copiez-le maintenant :
tokens-none = Il n’y en a pas.
tokens-ends = Fin
tokens-used = Dernière utilisation
tokens-revoke = Révoquer
tokens-revoke-one = Révoquer { $name }
tokens-new = Nouveau jeton
tokens-name = À quoi il sert
tokens-days = Prend fin après tant de jours
tokens-make = Créer un jeton
tokens-name-fault = Un nom a de 1 à 200 caractères.
done-token-revoked = Le jeton est révoqué et ne sert plus à rien.
