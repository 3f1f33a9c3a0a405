"""Every route of the application, by room, in the order in which they are tried."""

from typing import Final

from fastapi import APIRouter

from api import pages, status_routes
from api.access import account_pages, key_pages, login, people_pages, provider_pages
from api.app_presence import routes as app_presence_routes
from api.audit import pages as audit_pages
from api.audit import routes as audit_routes
from api.cards import routes as card_routes
from api.cues import pages as cue_pages
from api.cues import policy_pages as cue_policy_pages
from api.cues import routes as cue_routes
from api.exports import routes as export_routes
from api.fleet import pages as fleet_pages
from api.fleet import routes as fleet_routes
from api.identity import pages as desk_pages
from api.identity import routes as identity_routes
from api.inputs import routes as input_routes
from api.journey_map import pages as journey_map_pages
from api.journey_map import routes as journey_map_routes
from api.memory import alert_pages, alert_routes, message_pages, message_routes
from api.memory import pages as memory_pages
from api.memory import routes as memory_routes
from api.metrics import pages as metric_pages
from api.metrics import routes as metric_routes
from api.note_reports import pages as note_report_pages
from api.note_reports import routes as note_report_routes
from api.notes import follow_up_routes, interactions
from api.notes import pages as note_pages
from api.notes import queries as note_queries
from api.notes import routes as note_routes
from api.operations import alerts, by_preset, exclusions, exports, heatmap, shelf_items
from api.operations import pages as operations_pages
from api.plans import page as plan_page
from api.plans import routes as plan_routes
from api.privacy import pages as privacy_pages
from api.privacy import routes as privacy_routes
from api.profiles import journey_history, understanding_routes
from api.profiles import routes as profile_routes
from api.stores import live_routes
from api.stores import routes as store_routes
from api.webhooks import inbound
from api.webhooks import pages as webhook_pages
from api.webhooks import routes as webhook_routes

ROUTES: Final[tuple[APIRouter, ...]] = (
    store_routes.router,
    metric_routes.router,
    live_routes.router,
    profile_routes.router,
    interactions.router,
    note_report_routes.router,
    note_queries.router,
    note_routes.router,
    follow_up_routes.router,
    journey_history.router,
    understanding_routes.router,
    memory_routes.router,
    alert_routes.router,
    message_routes.router,
    input_routes.router,
    app_presence_routes.router,
    identity_routes.router,
    cue_routes.router,
    card_routes.router,
    export_routes.router,
    journey_map_routes.router,
    webhook_routes.router,
    inbound.router,
    exclusions.router,
    by_preset.router,
    exports.router,
    heatmap.router,
    alerts.router,
    shelf_items.router,
    fleet_routes.router,
    audit_routes.router,
    status_routes.router,
    plan_routes.router,
    privacy_routes.router,
)
"""What answers JSON and files; described in `/openapi.json`."""

PAGES: Final[tuple[APIRouter, ...]] = (
    login.router,
    provider_pages.router,
    account_pages.router,
    people_pages.router,
    key_pages.router,
    note_report_pages.router,
    note_pages.router,
    pages.router,
    desk_pages.router,
    metric_pages.router,
    operations_pages.router,
    webhook_pages.router,
    card_routes.frame,
    journey_map_pages.router,
    memory_pages.router,
    alert_pages.router,
    message_pages.router,
    cue_pages.router,
    cue_policy_pages.router,
    fleet_pages.router,
    audit_pages.router,
    plan_page.router,
    privacy_pages.router,
)
"""What a person looks at."""

ANALYTICS: Final[tuple[APIRouter, ...]] = (
    metric_routes.router,
    metric_pages.router,
    by_preset.router,
    exports.router,
    heatmap.router,
    export_routes.router,
    journey_map_routes.router,
    journey_map_pages.router,
    note_report_routes.router,
    note_report_pages.router,
)
"""What looks back over days and may be seconds behind: read from the server of `--analytics-url` if there is one."""
