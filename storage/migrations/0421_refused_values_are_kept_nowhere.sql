-- A file of events kept the kind of a row that was refused, which was another column's value where columns were mixed
-- up; so did the answers that are kept to be given again.

update input_import set errors = (
    select coalesce(jsonb_agg(case when one ->> 'what' ~ ' bring no event ' or one ->> 'what' ~ ' identifies nobody, so '
                                   then jsonb_set(one, '{what}', '"This value cannot be used here."') else one end), '[]')
      from jsonb_array_elements(errors) one)
 where errors::text ~ ' bring no event | identifies nobody, so ';
update idempotency_key set answer = jsonb_set(answer, '{errors}', (
    select coalesce(jsonb_agg(case when one ->> 'what' ~ ' bring no event ' or one ->> 'what' ~ ' identifies nobody, so '
                                   then jsonb_set(one, '{what}', '"This value cannot be used here."') else one end), '[]')
      from jsonb_array_elements(answer -> 'errors') one))
 where jsonb_typeof(answer) = 'object' and jsonb_typeof(answer -> 'errors') = 'array'
   and answer::text ~ ' bring no event | identifies nobody, so ';
update idempotency_key set answer = jsonb_set(answer, '{left_out}', '[]')
 where jsonb_typeof(answer) = 'object' and jsonb_typeof(answer -> 'left_out') = 'array'
   and path like '/v1/imports/%';
