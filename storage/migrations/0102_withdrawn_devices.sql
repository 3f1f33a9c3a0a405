-- Ingest asks each second whose consent does not hold any more: by this index it reads those few, not the whole ledger.
create index consent_event_ends on consent_event (purpose, profile_id)
 where status = 'withdrawn' or expires_at is not null;
