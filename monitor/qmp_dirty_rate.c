/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calc-dirty-rate and query-dirty-rate: the rate at which the guest writes its RAM, estimated from
 * a sample of pages. The checksums of the pages are compared at the start and the end of an
 * interval. The measurement does not use the dirty bits of RAM, so that it does not disturb a
 * migration.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "hw/core/clock.h"
#include "memory/ram.h"

enum {
    RATE_SECONDS_MAX = 60,
    RATE_SAMPLES_MIN = 128, /* per GiB, as QEMU accepts */
    RATE_SAMPLES_MAX = 4096,
    RATE_SAMPLES_DEFAULT = 512,
    RATE_SAMPLES_TOTAL = 16384, /* of all RAM: about 20 ms for their checksums */
    RATE_PAGES_PER_GIB = 1 << 18,
};

typedef enum RateStatus {
    RATE_UNSTARTED,
    RATE_MEASURING,
    RATE_MEASURED,
} RateStatus;

typedef struct RateSample {
    uint64_t page, sum;
} RateSample;

/* The samples of a block. The block is found again by its id, because a failed incoming migration
 * replaces the blocks. */
typedef struct RateBlock {
    char *id;
    uint64_t size;
    RateSample *samples;
    size_t n_samples;
} RateBlock;

struct DirtyRate {
    Machine *m;
    Timer timer;
    RateStatus status;
    int64_t started_s, seconds, per_gib;
    int64_t mib_per_s; /* while status is "measured" */
    GArray *blocks;    /* RateBlock; empty unless status is "measuring" */
};

static void rate_block_clear(gpointer p)
{
    RateBlock *b = p;

    g_free(b->id);
    g_free(b->samples);
}

static DirtyRate *rate_of(Machine *m)
{
    MonitorSet *set = monitor_set(m);

    if (!set->dirty_rate) {
        set->dirty_rate = g_new0(DirtyRate, 1);
        set->dirty_rate->m = m;
        set->dirty_rate->status = RATE_UNSTARTED;
        set->dirty_rate->per_gib = RATE_SAMPLES_DEFAULT;
        set->dirty_rate->blocks = g_array_new(FALSE, FALSE, sizeof(RateBlock));
        g_array_set_clear_func(set->dirty_rate->blocks, rate_block_clear);
    }
    return set->dirty_rate;
}

void monitor_dirty_rate_free(DirtyRate *r)
{
    if (r) {
        timer_cancel(&r->timer);
        g_array_unref(r->blocks);
        g_free(r);
    }
}

/* Return a checksum of a page (FNV-1a over its words). CPUs may write the page at the same time. */
static uint64_t rate_page_sum(const RamBlock *block, uint64_t page)
{
    const uint64_t *words = (const void *)(block->host + page * RAM_PAGE_SIZE);
    uint64_t sum = 0xcbf29ce484222325;

    for (size_t i = 0; i < RAM_PAGE_SIZE / sizeof(*words); i++) {
        sum = (sum ^ __atomic_load_n(&words[i], __ATOMIC_RELAXED)) * 0x100000001b3;
    }
    return sum;
}

/* Choose one page at random in each of @n parts of equal size, and store its checksum. */
static void rate_sample_block(DirtyRate *r, const RamBlock *block, uint64_t n)
{
    uint64_t pages = block->size / RAM_PAGE_SIZE;
    RateBlock b = { g_strdup(block->id), block->size, NULL, MIN(n, pages) };

    b.samples = g_new(RateSample, b.n_samples);
    for (size_t i = 0; i < b.n_samples; i++) {
        uint64_t first = pages * i / b.n_samples, next = pages * (i + 1) / b.n_samples;

        b.samples[i].page = first + g_random_int() % (next - first);
        b.samples[i].sum = rate_page_sum(block, b.samples[i].page);
    }
    g_array_append_val(r->blocks, b);
}

static uint64_t rate_ram_pages(const Machine *m)
{
    uint64_t pages = 0;

    for (guint i = 0; i < m->ram_blocks->len; i++) {
        const RamBlock *block = m->ram_blocks->pdata[i];

        pages += block->read_only ? 0 : block->size / RAM_PAGE_SIZE;
    }
    return pages;
}

static void rate_sample_all(DirtyRate *r)
{
    uint64_t pages = rate_ram_pages(r->m);
    uint64_t total = MIN(pages * (uint64_t)r->per_gib / RATE_PAGES_PER_GIB, RATE_SAMPLES_TOTAL);

    for (guint i = 0; i < r->m->ram_blocks->len; i++) {
        const RamBlock *block = r->m->ram_blocks->pdata[i];

        if (!block->read_only && block->size >= RAM_PAGE_SIZE) {
            rate_sample_block(r, block, MAX(total * (block->size / RAM_PAGE_SIZE) / pages, 1));
        }
    }
}

/* Compare the checksums, and compute the rate in MiB a second. */
static void rate_ended(void *opaque)
{
    DirtyRate *r = opaque;
    uint64_t samples = 0, changed = 0;
    double mib = (double)rate_ram_pages(r->m) * RAM_PAGE_SIZE / (1 << 20);

    for (guint i = 0; i < r->blocks->len; i++) {
        const RateBlock *b = &g_array_index(r->blocks, RateBlock, i);
        const RamBlock *block = machine_ram_find(r->m, b->id);

        for (size_t j = 0; block && block->size == b->size && j < b->n_samples; j++) {
            samples++;
            changed += rate_page_sum(block, b->samples[j].page) != b->samples[j].sum;
        }
    }
    g_array_set_size(r->blocks, 0);
    r->mib_per_s =
        samples ? (int64_t)(mib * (double)changed / (double)samples / (double)r->seconds) : 0;
    r->status = RATE_MEASURED;
}

static bool rate_check(const DirtyRate *r, const QmpCalcDirtyRateArgs *args, GError **err)
{
    if (r->status == RATE_MEASURING) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "calc-dirty-rate: the last measurement is still in progress");
        return false;
    }
    if (args->calc_time < 1 || args->calc_time > RATE_SECONDS_MAX) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "calc-dirty-rate: calc-time is %" G_GINT64_FORMAT
                      "; accepted are 1 to %d seconds",
                      args->calc_time, RATE_SECONDS_MAX);
        return false;
    }
    if (args->has_sample_pages &&
        (args->sample_pages < RATE_SAMPLES_MIN || args->sample_pages > RATE_SAMPLES_MAX)) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "calc-dirty-rate: sample-pages is %" G_GINT64_FORMAT
                      "; accepted are %d to %d pages of each GiB",
                      args->sample_pages, RATE_SAMPLES_MIN, RATE_SAMPLES_MAX);
        return false;
    }
    return true;
}

bool qmp_calc_dirty_rate(Machine *m, const QmpCalcDirtyRateArgs *args, GError **err)
{
    DirtyRate *r = rate_of(m);

    if (!rate_check(r, args, err)) {
        return false;
    }
    r->seconds = args->calc_time;
    r->per_gib = args->has_sample_pages ? args->sample_pages : RATE_SAMPLES_DEFAULT;
    r->started_s = g_get_monotonic_time() / G_USEC_PER_SEC;
    r->status = RATE_MEASURING;
    rate_sample_all(r);
    timer_setup_plain(&r->timer, m, m->qtest ? CLOCK_KIND_VIRTUAL : CLOCK_KIND_REALTIME, rate_ended,
                      r);
    timer_arm_ns(&r->timer, (uint64_t)r->seconds * 1000000000);
    return true;
}

struct json_object *qmp_query_dirty_rate(Machine *m, GError **err)
{
    static const char *const names[] = { "unstarted", "measuring", "measured" };
    const DirtyRate *r = rate_of(m);
    struct json_object *o = json_object_new_object();

    if (r->status == RATE_MEASURED) {
        json_object_object_add(o, "dirty-rate", json_object_new_int64(r->mib_per_s));
    }
    json_object_object_add(o, "status", json_object_new_string(names[r->status]));
    json_object_object_add(o, "start-time", json_object_new_int64(r->started_s));
    json_object_object_add(o, "calc-time", json_object_new_int64(r->seconds));
    json_object_object_add(o, "sample-pages", json_object_new_int64(r->per_gib));
    json_object_object_add(o, "mode", json_object_new_string("page-sampling"));
    return o;
}
