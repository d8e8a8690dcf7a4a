/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hostile streams against a complete emulator in this process. Each case is either rejected with a
 * message that names the position, after which the process accepts another stream, or loaded into a
 * machine that passes a self-check: the saved state loads again and saves to the same bytes, a
 * script of hostile accesses has no harmful effect, and the state saved afterwards loads, too.
 *
 *   hostile [--cases N | --seconds S] [--seed S] [--all [--share I/N]] [--fields | --harts]
 *           FILE.gz...
 *
 * Without --fields: single-bit changes and truncations of everything except RAM items; N cases of
 * each file, or all with --all (see hostile-all.c). With --fields: values at and beyond the limits
 * of every field of every saved-state table, and hostile numbers in the records without a table and
 * in the names and lengths of the container; a selection, or every byte with --all
 * (hostile-fields.c). With --harts: bits of the state of the harts, which then run with the loaded
 * state.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"

static Run *current;

/* Only async-signal-safe functions. A truncated report is still useful. */
static void report(const char *text)
{
    ssize_t done = write(STDERR_FILENO, text, strlen(text));

    (void)done;
}

/* Installed with SA_RESETHAND: the second signal ends the process. */
static void on_abort(int sig)
{
    report("finding: ");
    report(current->g->path);
    report(": ");
    report(current->what);
    report("\n");
    raise(sig);
}

static void report_aborts(void)
{
    const struct sigaction action = { .sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND };

    g_assert_cmpint(sigaction(SIGABRT, &action, NULL), ==, 0);
    g_assert_cmpint(sigaction(SIGTRAP, &action, NULL), ==, 0);
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    /* thousands of machines are created and freed */
    return "handle_abort=0:abort_on_error=1:quarantine_size_mb=32:malloc_context_size=8";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}

/* --- one case --- */

const char *hostile_accel(const Run *run)
{
    return run->harts ? "interp" : "qtest";
}

void hostile_check_sentence(const char *text, const char *must_say)
{
    g_assert_true(*text && g_utf8_validate(text, -1, NULL));
    g_assert_null(strchr(text, '\n'));
    if (must_say && !strstr(text, must_say)) {
        g_error("rejected without '%s' in the message: %s", must_say, text);
    }
}

/* Report the first difference between two streams. */
static void check_equal(GByteArray *one, const GByteArray *two)
{
    size_t at = 0, len = MIN(one->len, two->len);
    Golden *g;
    const Part *p;

    while (at < len && one->data[at] == two->data[at]) {
        at++;
    }
    if (at == len && one->len == two->len) {
        return;
    }
    g = golden_new("saved", one);
    p = part_at(g, at);
    g_error("saved again, the stream differs at byte %zu of %u (%u) (%s, %zu)", at, one->len,
            two->len, p ? p->name : "container", p ? at - p->record : 0);
}

/* Check that the state which this machine saves can be loaded by another process, and that the
 * process saves the same bytes. */
static void check_reload(Run *run)
{
    g_autoptr(GByteArray) one = rig_save(run->s), two = NULL;
    Session *other = rig_open(hostile_accel(run));
    g_autofree char *refusal = rig_load(other, one->data, one->len);

    if (refusal) {
        g_error("the saved state is rejected: %s", refusal);
    }
    two = rig_save(other);
    check_equal(one, two);
    session_free(other);
    run->reloaded++;
}

static void self_check(Run *run)
{
    bool reload = run->reload_each && run->loaded % run->reload_each == 0;

    mem_check(&run->s->m->memory);
    if (reload) {
        check_reload(run);
    }
    if (run->harts) {
        bool moved = rig_run(run->s, run->cases == 1 ? 10000 : 10);

        g_assert_true(moved || run->cases > 1); /* the first is the unmodified stream */
    } else {
        rig_harm(run->s, run->seed + run->cases);
    }
    if (reload) {
        check_reload(run);
    }
    machine_reset(run->s->m, run->cases & 1 ? RESET_HOT : RESET_COLD);
    session_free(run->s);
    run->s = NULL;
}

bool hostile_try_case(Run *run, const uint8_t *data, size_t len, const char *must_say)
{
    g_autofree char *refusal = NULL;

    if (!run->s) {
        run->s = rig_open(hostile_accel(run));
        run->opened++;
    }
    run->cases++;
    run->whole++;
    refusal = rig_load(run->s, data, len);
    if (refusal) {
        run->refused++;
        hostile_check_sentence(refusal, must_say);
        return false;
    }
    run->loaded++;
    self_check(run);
    return true;
}

/* --- single bits and truncation --- */

void hostile_tell_flip(Run *run, const Part *p, size_t at, unsigned bit)
{
    g_snprintf(run->what, sizeof(run->what), "bit %u of byte %zu (%s, %zu)", bit, at,
               p ? p->name : "container", p ? at - p->record : 0);
}

bool hostile_flip(Run *run, size_t at, unsigned bit)
{
    const Part *p = part_at(run->g, at);
    bool taken;

    hostile_tell_flip(run, p, at, bit);
    run->g->bytes->data[at] ^= 1u << bit;
    /* a stream with a malformed description may not have sections */
    taken = hostile_try_case(run, run->g->bytes->data, run->g->bytes->len,
                             p && strcmp(p->name, HWDESC_SECTION) ? p->name : NULL);
    run->g->bytes->data[at] ^= 1u << bit;
    return taken;
}

void hostile_cut(Run *run, size_t at)
{
    g_snprintf(run->what, sizeof(run->what), "cut at byte %zu", at);
    if (hostile_try_case(run, run->g->bytes->data, at, NULL)) {
        g_assert_cmpuint(at, >=, run->g->text - 5); /* only the description may be missing */
    }
}

bool hostile_left_out(const Run *run, size_t at)
{
    const Golden *g = run->g;
    const Part *p = part_at(g, at);

    if (at / 4 % run->shares != run->share) {
        return true;
    }

    if (run->harts) {
        return !p || !(g_str_equal(p->name, "cpu") || g_str_equal(p->name, "clock") ||
                       strstr(p->name, "mtimer"));
    }
    return at >= g->ram && at < g->ram_end;
}

/* Each loaded machine has a hart that runs. */
static void all_of_harts(Run *run)
{
    for (size_t at = 0; at < run->g->text; at++) {
        for (unsigned bit = 0; bit < 8 && !hostile_left_out(run, at); bit++) {
            hostile_flip(run, at, bit);
        }
        if (!hostile_left_out(run, at)) {
            hostile_cut(run, at);
        }
    }
}

/* Run n cases, or as many as fit in the given number of seconds. */
static void some_flips_and_cuts(Run *run, unsigned n, unsigned seconds)
{
    gint64 begin = g_get_monotonic_time();
    GRand *r = g_rand_new_with_seed(run->seed);

    /* wait-ok: an amount of work, not a wait */
    for (unsigned i = 0;
         seconds ? g_get_monotonic_time() - begin < seconds * G_USEC_PER_SEC : i < n; i++) {
        size_t at;

        do {
            at = (size_t)g_rand_int_range(r, 0, (gint32)run->g->text);
        } while (hostile_left_out(run, at));
        if (i % 5) {
            hostile_flip(run, at, g_rand_int_range(r, 0, 8));
        } else {
            hostile_cut(run, at);
        }
    }
    g_rand_free(r);
}

/* --- a file --- */

/* Return the number of open descriptors of this process. */
static unsigned open_files(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

static void run_file(Run *run, const char *path, int cases, int seconds, bool fields)
{
    gint64 start = g_get_monotonic_time();
    clock_t cpu = clock();
    unsigned files = 0;

    run->g = golden_new(path, rig_read(path));
    g_snprintf(run->what, sizeof(run->what), "the stream as it is");
    g_assert_true(hostile_try_case(run, run->g->bytes->data, run->g->bytes->len, NULL));
    files = open_files();
    if (fields) {
        hostile_fields(run);
    } else if (run->all && run->harts) {
        all_of_harts(run);
    } else if (run->all) {
        hostile_all(run);
    } else {
        some_flips_and_cuts(run, (unsigned)cases, (unsigned)seconds);
    }
    if (run->s) {
        session_free(run->s);
        run->s = NULL;
    }
    g_snprintf(run->what, sizeof(run->what), "descriptors after all cases");
    g_assert_cmpuint(open_files(), ==, files);
    printf("%s: %u cases, %u rejected, %u loaded; %u in complete emulators (%u reloaded), "
           "0 findings, %.1f s of CPU, %.1f s\n",
           path, run->cases, run->refused, run->loaded, run->whole, run->reloaded,
           (double)(clock() - cpu) / CLOCKS_PER_SEC, (g_get_monotonic_time() - start) / 1e6);
    fflush(stdout);
    golden_close(run->g);
}

static bool parse_share(const char *text, unsigned *share, unsigned *shares)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    guint64 i, n;

    if (!parts[0] || !parts[1] || !g_ascii_string_to_unsigned(parts[1], 10, 1, 1000, &n, NULL) ||
        !g_ascii_string_to_unsigned(parts[0], 10, 0, n - 1, &i, NULL)) {
        return false;
    }
    *share = (unsigned)i;
    *shares = (unsigned)n;
    return true;
}

int main(int argc, char **argv)
{
    gboolean all = FALSE, fields = FALSE, harts = FALSE;
    gint cases = 200, seconds = 0, seed = 1;
    unsigned share = 0, shares = 1;
    gchar **files = NULL, *of = NULL;
    const GOptionEntry options[] = {
        { "cases", 0, 0, G_OPTION_ARG_INT, &cases, "bits and cuts of each file", "N" },
        { "seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "as many as can be run in S seconds", "S" },
        { "seed", 0, 0, G_OPTION_ARG_INT, &seed, "which", "S" },
        { "all", 0, 0, G_OPTION_ARG_NONE, &all, "every bit and every cut", NULL },
        { "share", 0, 0, G_OPTION_ARG_STRING, &of, "of all, the I-th of N shares", "I/N" },
        { "fields", 0, 0, G_OPTION_ARG_NONE, &fields, "boundary values", NULL },
        { "harts", 0, 0, G_OPTION_ARG_NONE, &harts, "their state alone, and run them", NULL },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, NULL, "FILE.gz..." },
        { NULL }
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) err = NULL;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &err) || !files) {
        g_printerr("hostile: %s\n", err ? err->message : "which files?");
        return 2;
    }
    if (of && !parse_share(of, &share, &shares)) {
        g_printerr("hostile: share '%s' is not I/N with I below N\n", of);
        return 2;
    }
    report_aborts();
    for (char **f = files; *f; f++) {
        Run run = { .all = all,
                    .share = share,
                    .shares = shares,
                    .harts = harts,
                    .reload_each = all || fields || seconds ? 16 : 1,
                    .seed = (guint32)seed };

        current = &run;
        run_file(&run, *f, cases, seconds, fields);
    }
    g_strfreev(files);
    g_free(of);
    return 0;
}
