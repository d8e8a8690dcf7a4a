/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system-call filter: parsing of -sandbox, and denied and permitted calls. Each filter is
 * installed in a child process, because it cannot be removed.
 */
#include "util/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config-host.h"
#include "tests/lib/ok.h"

static void refused(const char *arg, const char *text)
{
    SandboxPolicy p = { .mode = SANDBOX_REPORT };
    g_autoptr(GError) err = NULL;

    g_assert_false(sandbox_policy_parse(&p, arg, &err));
    g_assert_nonnull(strstr(err->message, text));
    g_assert_cmpint(p.mode, ==, SANDBOX_REPORT);
}

static void test_parse(void)
{
    SandboxPolicy p;

    ASSERT_OK(sandbox_policy_parse(
        &p, "on,obsolete=allow,elevateprivileges=children,spawn=deny,resourcecontrol=deny",
        &failure));
    g_assert_cmpint(p.mode, ==, SANDBOX_KILL);
    g_assert_true(p.allow_obsolete);
    g_assert_true(p.deny_spawn);
    g_assert_true(p.deny_resourcecontrol);
    g_assert_cmpint(p.privileges, ==, SANDBOX_PRIVILEGES_CHILDREN);
    g_assert_true(sandbox_denies_spawn(&p));
    ASSERT_OK(sandbox_policy_parse(&p, "on", &failure));
    g_assert_false(p.allow_obsolete);
    g_assert_false(p.deny_spawn);
    g_assert_false(sandbox_denies_spawn(&p));
    ASSERT_OK(sandbox_policy_parse(&p, "off", &failure));
    g_assert_cmpint(p.mode, ==, SANDBOX_OFF);
    g_assert_false(sandbox_denies_spawn(NULL));
    refused("maybe", "on or off");
    refused("on,spawn=perhaps", "spawn=perhaps");
    refused("on,obsolete=children", "allow or deny");
    refused("on,files=deny", "'files'");
}

#ifdef CONFIG_SECCOMP

typedef int ChildFn(const SandboxPolicy *p);

/* Return the wait status of a child that runs fn. Its stderr is stored in *output. */
static int in_child(ChildFn *fn, const SandboxPolicy *p, char **output)
{
    GString *text = g_string_new(NULL);
    char part[512];
    int fds[2], status;
    ssize_t n;
    pid_t pid;

    g_assert_cmpint(pipe(fds), ==, 0);
    pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        _exit(fn(p));
    }
    close(fds[1]);
    while ((n = read(fds[0], part, sizeof(part))) > 0) {
        g_string_append_len(text, part, n);
    }
    *output = g_string_free(text, FALSE);
    close(fds[0]);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return status;
}

/* 0: every call had the result stated here. */
static int denied_call(const SandboxPolicy *p)
{
    return !sandbox_confine_process(p, NULL) || setns(-1, 0) != -1 || errno != EPERM ||
           setns(-1, 0) != -1 || errno != EPERM;
}

static int spawned_process(const SandboxPolicy *p)
{
    if (!sandbox_confine_process(p, NULL)) {
        return 2;
    }
    return fork() >= 0;
}

static gpointer nothing(gpointer opaque)
{
    return opaque;
}

static int new_thread(const SandboxPolicy *p)
{
    if (!sandbox_confine_process(p, NULL)) {
        return 2;
    }
    return g_thread_join(g_thread_new("worker", nothing, (gpointer)p)) != p;
}

static int raised_limit(const SandboxPolicy *p)
{
    struct rlimit limit;

    if (!sandbox_confine_process(p, NULL) || getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 2;
    }
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int changed_user(const SandboxPolicy *p)
{
    return !sandbox_confine_process(p, NULL) ? 2 : setuid(getuid()) == 0;
}

static gpointer cpu_calls(gpointer opaque)
{
    void *memory;
    int fd;

    sandbox_confine_cpu_thread(opaque);
    memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || munmap(memory, 4096) != 0) {
        return GINT_TO_POINTER(3);
    }
    memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) {
        munmap(memory, 4096);
        return GINT_TO_POINTER(8);
    }
    if (errno != EPERM) {
        return GINT_TO_POINTER(9);
    }
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return GINT_TO_POINTER(4);
    }
    close(fd);
    fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return GINT_TO_POINTER(5);
    }
    return GINT_TO_POINTER(errno == EPERM ? 0 : 6);
}

/* The filter of the CPU thread does not extend to the thread that created it. */
static int cpu_thread(const SandboxPolicy *p)
{
    int result, fd;

    if (!sandbox_confine_process(p, NULL)) {
        return 2;
    }
    result = GPOINTER_TO_INT(g_thread_join(g_thread_new("CPU", cpu_calls, (gpointer)p)));
    fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return 7;
    }
    close(fd);
    return result;
}

static void check_exit(ChildFn *fn, const SandboxPolicy *p, const char *reported)
{
    g_autofree char *output = NULL;
    int status = in_child(fn, p, &output);

    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    if (reported) {
        char *first = strstr(output, reported);

        g_assert_nonnull(first);
        g_assert_null(strstr(first + 1, reported)); /* once */
    }
}

static void check_killed(ChildFn *fn, const SandboxPolicy *p)
{
    g_autofree char *output = NULL;
    int status = in_child(fn, p, &output);

    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, SIGSYS);
}

static void test_report(void)
{
    SandboxPolicy p;

    sandbox_policy_default(&p);
    if (p.mode == SANDBOX_OFF) {
        g_test_skip("this kernel has no system-call filters");
        return;
    }
    check_exit(denied_call, &p, "'setns'");
    check_exit(new_thread, &p, NULL);
    check_exit(cpu_thread, &p, "'openat'");
    check_exit(cpu_thread, &p, "'mmap'");
}

static void test_kill(void)
{
    g_autoptr(GError) err = NULL;
    SandboxPolicy p;

    if (!sandbox_policy_parse(&p, "on,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
                              &err)) {
        g_test_skip(err->message);
        return;
    }
    check_killed(denied_call, &p);
    check_killed(spawned_process, &p);
    check_killed(raised_limit, &p);
    check_killed(changed_user, &p);
    check_killed(cpu_thread, &p);
    check_exit(new_thread, &p, NULL);
}

static void test_allowed(void)
{
    g_autoptr(GError) err = NULL;
    SandboxPolicy p;
    g_autofree char *output = NULL;
    int status;

    if (!sandbox_policy_parse(&p, "on", &err)) {
        g_test_skip(err->message);
        return;
    }
    status = in_child(raised_limit, &p, &output); /* permitted: the child reports success as 1 */
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    g_clear_pointer(&output, g_free);
    status = in_child(changed_user, &p, &output);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    sandbox_policy_parse(&p, "off", NULL);
    check_exit(new_thread, &p, NULL);
}

#endif

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sandbox/parse", test_parse);
#ifdef CONFIG_SECCOMP
    g_test_add_func("/sandbox/report", test_report);
    g_test_add_func("/sandbox/kill", test_kill);
    g_test_add_func("/sandbox/allowed", test_allowed);
#endif
    return g_test_run();
}
