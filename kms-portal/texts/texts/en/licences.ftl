# Licenses for many people.
licences-many = Change licenses of many people
licences-list = E-mail addresses
licences-list-hint = One on each line, or with commas or blanks between them.
licences-file = Or a CSV file
licences-file-hint = The first address of each row counts, whatever its column. At most 100,000 rows and 4 MB.
licences-how = What to do
licences-add = Add these licenses, and leave the others
licences-replace = Replace: give these, and take every other that was assigned by hand
licences-revoke = Take these licenses back
licences-free = { $count ->
    [one] { $count } seat free.
   *[other] { $count } seats free.
}
licences-by-group = A group gives it; to take it back, take the person out of the group.
licences-preview-first = Nothing is changed yet: the next page shows what would happen to everybody.
licences-preview = Preview
licences-preview-csv = Preview as CSV
error-no-people = Type at least one address, or choose a file.
error-too-many-people = At most { $most } people at once.
error-no-offer = Choose at least one offer.
preview-title = What would happen
preview-done = What was done
preview-add = Add: { $offers }
preview-replace = Replace all licenses by: { $offers }
preview-revoke = Take back: { $offers }
preview-counts = { $served } served, { $refused } refused
preview-short = { $offer }: { $missing } more seats would be enough for everybody.
preview-do-all = { $count ->
    [one] Do it for this person
   *[other] Do it for all { $count }
}
preview-do-some = { $count ->
    [one] Do it for the one that can be served
   *[other] Do it for the { $count } that can be served
}
preview-caption = Those who were refused come first. { $shown } rows are shown; the preview as CSV has all.
row-no-address = This is no e-mail address.
row-unknown = Nobody in the organisation has this address.
row-has = Has { $offers }
row-has-nothing = Has no license
refused-not-bought = No subscription gives { $offer }.
refused-no-seat = No seat of { $offer } is left.
refused-not-for-all = There is not enough for everybody on the list.
misfit-no-location = The usage location is not set.
misfit-not-there = { $service } is not offered in { $country }.
misfit-excludes = Nobody can have both { $one } and { $other }.
misfit-requires = { $service } needs { $missing }.
