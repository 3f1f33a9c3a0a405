-- Telephone numbers with a country code are compared by E.164: what begins with 00 begins with +. Where two people hold
-- both spellings, the newer one stays as it is, until a person decides.
update profile_identifier held set value = '+' || substr(value, 3)
 where kind = 'phone' and value ~ '^00[1-9]' and ended_at is null
   and not exists (select from profile_identifier other where other.kind = 'phone' and other.ended_at is null
                    and other.value = '+' || substr(held.value, 3));
