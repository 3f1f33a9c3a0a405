-- Who asked for an erasure was free text, and whoever wishes one is mostly the customer herself: her name stood on the
-- receipt. From now on it is the account or key that asked. What was typed before cannot be told apart any more, since
-- nobody knows whom a receipt is of; the audit has by whom each was asked for.

update erasure set asked_by = '' where source = 'request' and asked_by <> '';
update idempotency_key set answer = jsonb_set(answer, '{asked_by}', '""')
 where path like '/v1/erasures%' and jsonb_typeof(answer) = 'object' and answer ? 'asked_by';
comment on column erasure.asked_by is 'The account, key or job that asked; empty where that would name who was erased.';
