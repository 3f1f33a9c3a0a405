-- Counts of fewer than ten people (core.metrics.disclosure.K_PEOPLE) go with their visits. Days that stand already, because
-- their visits went for their age, still have them: they are blanked as those of an erasure are (storage.rollups.keeping).
update visit_rollup set people = 1, visits = 1, dwell_ms = 0, bins = '{0}', counts = '{1}'
  from rollup_frozen stands
 where stands.store_no = visit_rollup.store_no and stands.day = visit_rollup.day and people < 10;
delete from flow_rollup using rollup_frozen stands
 where stands.store_no = flow_rollup.store_no and stands.day = flow_rollup.day and people < 10;
delete from path_rollup using rollup_frozen stands
 where stands.store_no = path_rollup.store_no and stands.day = path_rollup.day and people < 10;
