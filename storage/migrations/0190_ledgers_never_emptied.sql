-- Row triggers see no TRUNCATE: without these one statement empties a ledger that may only grow.
create trigger consent_event_never_emptied before truncate on consent_event
    for each statement execute function refuse_rewriting();
create trigger exclusion_change_never_emptied before truncate on exclusion_change
    for each statement execute function refuse_exclusion_rewriting();
