# SPDX-License-Identifier: GPL-2.0-or-later
"""Forms that are accepted for compatibility and have no effect on these machines: an example of
each, and the reason. -help marks the options among them."""

WITHOUT_EFFECT = {
    "-boot order=": (["-boot", "order=cd"], "the firmware chooses the boot device"),
    "-boot once=": (["-boot", "once=d"], "as above"),
    "-vga": (["-vga", "none"], "there is no display adapter"),
    "-parallel": (["-parallel", "none"], "there is no parallel port"),
    "-audio": (["-audio", "none"], "there is no sound"),
    "-audiodev timer-period=": (["-audiodev", "none,id=a,timer-period=9"], "there is no sound"),
    "-audiodev out.frequency=": (["-audiodev", "none,id=a,out.frequency=9"], "there is no sound"),
    "-audiodev in.frequency=": (["-audiodev", "none,id=a,in.frequency=9"], "there is no sound"),
    "-no-acpi": (["-no-acpi"], "there are no ACPI tables"),
    "-M graphics=": (["-M", "virt,graphics=off"], "there is no display"),
    "-machine graphics=": (["-machine", "virt,graphics=on"], "there is no display"),
    "-mon id=": (["-chardev", "null,id=c", "-mon", "c,id=monitor,mode=control"],
                 "nothing refers to a monitor"),
    "-no-user-config": (["-no-user-config"], "there is no user configuration"),
    "-accel thread=single": (["-accel", "qtest,thread=single"], "there is one CPU"),
    "-accel thread=multi": (["-accel", "qtest,thread=multi"], "there is one CPU"),
    "-smp maxcpus=": (["-smp", "1,maxcpus=1"], "CPUs cannot be plugged"),
    "-smp sockets=": (["-smp", "1,sockets=1"], "there is one CPU"),
    "-smp dies=": (["-smp", "1,dies=1"], "there is one CPU"),
    "-smp clusters=": (["-smp", "1,clusters=1"], "there is one CPU"),
    "-smp cores=": (["-smp", "1,cores=1"], "there is one CPU"),
    "-smp threads=": (["-smp", "1,threads=1"], "there is one CPU"),
    "-name debug-threads=on": (["-name", "x,debug-threads=on"], "threads are always named"),
    "-rtc driftfix=none": (["-rtc", "driftfix=none"], "the clock has no periodic interrupt"),
    "-d nochain": (["-d", "nochain"], "blocks are never chained"),
}
