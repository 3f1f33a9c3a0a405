-- Who made a follow-up, and so promised it, whoever does it now; null: of an alert, or from before this was kept.
alter table follow_up add column made_by text;
