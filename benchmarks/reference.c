/* The decoder's floor: the same machines as plain C, for one store.
 *
 * viterbi: the streaming sticky Viterbi of docs/dwell-engine.md with scores, starts of stays and timeouts, without what
 * the product has beside it: bounds, confidence, offsets of devices, watch over anchors, forced decisions, snapshots.
 * ema: a moving average per anchor with hysteresis, the cheapest machine that is used for this at all.
 *
 * Times are microseconds since the first signal in 32 bits, so a recording lasts at most 71 minutes.
 */
#include <stdint.h>

#ifndef LANES
#define LANES 16
#endif
#define STEP_US 100000u
#define SILENCE_US 60000000u
#define SILENCE_MOST_US 900000000u
#define SILENCE_GAPS 14u
#define GAP_MEAN_US 4000000
#define GAP_SHIFT 17
#define ROWS 100
#define FLOOR_DBM (-115)
#define AHEAD 6

struct signal {
    int64_t ts; /* microseconds */
    int32_t device;
    int16_t anchor, rssi_dbm;
};

struct stay {
    int64_t entered_at, left_at; /* microseconds */
    int32_t device, zone;        /* zone -1: the store visit */
};

struct node {
    uint32_t start, before; /* first signal of the stay, last one before it */
    int32_t lane, parent, lanes, children;
};

struct device {
    int32_t score[LANES];
    uint32_t start[LANES], before[LANES];
    int32_t node[LANES];
    uint32_t step_at, last_at, arrived_at, timeout;
    int32_t gap_mean, gap_steps, best, root, open;
} __attribute__((aligned(64)));

struct world {
    int64_t base; /* microseconds of time 0 */
    struct device *devices;
    struct node *nodes;
    int32_t *free;
    int64_t free_count;
    const int16_t *level; /* anchors x ROWS x LANES */
    const int32_t *silence, *penalty;
    int64_t penalties;
    struct stay *out;
    int64_t out_count, out_room;
};

int64_t device_bytes(void) { return sizeof(struct device); }
int64_t node_bytes(void) { return sizeof(struct node); }

static void emit(struct world *w, int32_t place, int32_t zone, uint32_t entered, uint32_t left) {
    if (w->out_count < w->out_room) {
        struct stay *row = w->out + w->out_count;
        row->entered_at = w->base + entered;
        row->left_at = w->base + left;
        row->device = place;
        row->zone = zone;
    }
    w->out_count++;
}

static void give_back(struct world *w, int32_t at) { w->free[w->free_count++] = at; }

static int32_t own_node(struct world *w, struct device *d, int32_t lane) {
    int32_t own = w->free[--w->free_count], parent = d->node[lane];
    w->nodes[own] = (struct node){d->start[lane], d->before[lane], lane, parent, 1, 0};
    w->nodes[parent].lanes--;
    w->nodes[parent].children++;
    return d->node[lane] = own;
}

static void leave(struct world *w, int32_t at) {
    struct node *nodes = w->nodes;
    nodes[at].lanes--;
    while (nodes[at].lanes == 0 && nodes[at].children == 0) {
        int32_t above = nodes[at].parent;
        give_back(w, at);
        nodes[above].children--;
        at = above;
    }
}

static void settle(struct world *w, struct device *d, int32_t place) {
    struct node *nodes = w->nodes;
    int32_t root = d->root;
    while (nodes[root].lanes == 0 && nodes[root].children == 1) {
        int32_t child = d->node[d->best];
        while (nodes[child].parent != root)
            child = nodes[child].parent;
        if (nodes[root].lane >= 0)
            emit(w, place, nodes[root].lane, nodes[root].start, nodes[child].before);
        give_back(w, root);
        nodes[child].parent = -1;
        root = child;
    }
    d->root = root;
}

static int32_t leader(const struct device *d) {
    int32_t top = d->score[0];
    for (int lane = 1; lane < LANES; lane++)
        top = d->score[lane] > top ? d->score[lane] : top;
    if (d->score[d->best] == top)
        return d->best;
    int32_t best = 0;
    while (d->score[best] != top)
        best++;
    return best;
}

static void set_timeout(struct device *d) {
    uint64_t wanted = (uint64_t)SILENCE_GAPS * (uint64_t)d->gap_mean;
    wanted = wanted < SILENCE_US ? SILENCE_US : wanted;
    d->timeout = wanted > SILENCE_MOST_US ? SILENCE_MOST_US : (uint32_t)wanted;
}

static void arrive(struct world *w, struct device *d, uint32_t now) {
    if (d->gap_mean == 0) {
        d->gap_mean = GAP_MEAN_US;
        set_timeout(d);
    }
    int32_t root = w->free[--w->free_count];
    w->nodes[root] = (struct node){now, now, -1, -1, LANES, 0};
    for (int lane = 0; lane < LANES; lane++) {
        d->score[lane] = w->silence[lane];
        d->start[lane] = d->before[lane] = now;
        d->node[lane] = root;
    }
    d->root = root;
    d->best = 0;
    d->open = 1;
    d->arrived_at = now;
}

static void close_visit(struct world *w, struct device *d, int32_t place) {
    int32_t best = d->best = leader(d);
    w->nodes[d->root].lanes++; /* keeps the root until all have left */
    for (int lane = 0; lane < LANES; lane++)
        if (lane != best)
            leave(w, d->node[lane]);
    w->nodes[d->root].lanes--;
    if (w->nodes[d->node[best]].lane != best)
        own_node(w, d, best);
    settle(w, d, place);
    emit(w, place, best, w->nodes[d->root].start, d->last_at);
    emit(w, place, -1, d->arrived_at, d->last_at);
    give_back(w, d->root);
    d->open = 0;
}

static void advance(struct world *w, struct device *d, int32_t place, uint32_t now) {
    uint32_t gap = now - d->last_at;
    int32_t best = d->best = leader(d), top = d->score[best];
    int64_t bin = gap >> GAP_SHIFT;
    int32_t cost = w->penalty[bin < w->penalties ? bin : w->penalties - 1], bar = top - cost;
    int32_t own = d->node[best], resets = 0, moves = 0;
    for (int lane = 0; lane < LANES; lane++) {
        int32_t low = d->score[lane] < bar;
        resets += low;
        moves += low & (d->node[lane] != own);
    }
    if (resets && w->nodes[own].lane != best) {
        own = own_node(w, d, best);
        moves = resets;
    }
    if (moves)
        for (int lane = 0; lane < LANES; lane++)
            if (d->score[lane] < bar && d->node[lane] != own) {
                leave(w, d->node[lane]);
                d->node[lane] = own;
                w->nodes[own].lanes++;
            }
    uint32_t last = d->last_at;
    for (int lane = 0; lane < LANES; lane++) {
        int32_t margin = d->score[lane] - bar;
        d->start[lane] = margin < 0 ? now : d->start[lane];
        d->before[lane] = margin < 0 ? last : d->before[lane];
        d->score[lane] = (margin < 0 ? 0 : margin) - cost + w->silence[lane];
    }
    if (moves)
        settle(w, d, place);
    int shift = d->gap_steps < 2 ? 1 : d->gap_steps < 6 ? 2 : d->gap_steps < 14 ? 3 : 4;
    d->gap_mean += ((int32_t)gap - d->gap_mean) >> shift;
    d->gap_steps += d->gap_steps < 14;
    set_timeout(d);
}

/* Take n signals in order of time. */
void viterbi(struct world *w, const struct signal *signals, int64_t n) {
    for (int64_t index = 0; index < n; index++) {
        if (index + AHEAD < n) {
            const char *next = (const char *)(w->devices + signals[index + AHEAD].device);
            for (unsigned offset = 0; offset < sizeof(struct device); offset += 64)
                __builtin_prefetch(next + offset);
        }
        const struct signal *s = signals + index;
        struct device *d = w->devices + s->device;
        uint32_t now = (uint32_t)(s->ts - w->base);
        if (!d->open || now - d->step_at >= STEP_US) {
            if (d->open && now - d->last_at > d->timeout)
                close_visit(w, d, s->device);
            if (d->open)
                advance(w, d, s->device, now);
            else
                arrive(w, d, now);
            d->step_at = now;
        }
        d->last_at = now;
        int row = s->rssi_dbm - FLOOR_DBM;
        row = row < 0 ? 0 : row >= ROWS ? ROWS - 1 : row;
        const int16_t *level = w->level + ((int64_t)s->anchor * ROWS + row) * LANES;
        for (int lane = 0; lane < LANES; lane++)
            d->score[lane] += level[lane];
    }
}

void viterbi_finish(struct world *w, int64_t devices) {
    for (int64_t place = 0; place < devices; place++)
        if (w->devices[place].open)
            close_visit(w, w->devices + place, (int32_t)place);
}

#define EMA_SHARE 0.25f
#define EMA_MARGIN_DB 3.0f
#define EMA_HOLD_US 2000000u
#define EMA_FORGET_US 10000000u
#define EMA_NOTHING (-110.0f)

struct averaged {
    float level[LANES];
    uint32_t heard[LANES];
    uint32_t since, last_at, candidate_at;
    int32_t zone, candidate, open;
} __attribute__((aligned(64)));

int64_t averaged_bytes(void) { return sizeof(struct averaged); }

/* Zone = anchor; a move counts once another anchor is 3 dB louder for two seconds. Returns the number of stays. */
int64_t ema(struct averaged *devices, const struct signal *signals, int64_t n, int64_t base) {
    int64_t stays = 0;
    for (int64_t index = 0; index < n; index++) {
        if (index + AHEAD < n) {
            const char *next = (const char *)(devices + signals[index + AHEAD].device);
            for (unsigned offset = 0; offset < sizeof(struct averaged); offset += 64)
                __builtin_prefetch(next + offset);
        }
        const struct signal *s = signals + index;
        struct averaged *d = devices + s->device;
        uint32_t now = (uint32_t)(s->ts - base);
        int32_t a = s->anchor;
        if (!d->open || now - d->last_at > SILENCE_US) {
            stays += d->open;
            for (int lane = 0; lane < LANES; lane++)
                d->level[lane] = EMA_NOTHING;
            d->open = 1;
            d->zone = a;
            d->candidate = -1;
            d->since = now;
        }
        d->last_at = now;
        float reading = s->rssi_dbm;
        int fresh = now - d->heard[a] > EMA_FORGET_US || d->level[a] == EMA_NOTHING;
        d->level[a] = fresh ? reading : d->level[a] + EMA_SHARE * (reading - d->level[a]);
        d->heard[a] = now;
        if (a == d->zone)
            continue;
        float here = now - d->heard[d->zone] > EMA_FORGET_US ? EMA_NOTHING : d->level[d->zone];
        if (d->level[a] <= here + EMA_MARGIN_DB) {
            if (d->candidate == a)
                d->candidate = -1;
        } else if (d->candidate != a) {
            d->candidate = a;
            d->candidate_at = now;
        } else if (now - d->candidate_at >= EMA_HOLD_US) {
            stays++;
            d->zone = a;
            d->since = now;
            d->candidate = -1;
        }
    }
    return stays;
}
