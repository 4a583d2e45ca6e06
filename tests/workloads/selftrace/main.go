// selftrace is demo plus Go's own tracer: the first SIGUSR1 starts it, the next stops it, and so on. The traces go to
// $SELFTRACE.1, .2 and so on (default selftrace.out). Each change prints a line when it is done: "trace on FILE",
// "trace off FILE". To set gotrace beside the in-process tracer of the same process; see scripts/compare.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/trace"
	"syscall"

	_ "gotrace.test/workloads/tasks"
	"gotrace.test/workloads/work"
)

func main() {
	name := os.Getenv("SELFTRACE")
	if name == "" {
		name = "selftrace.out"
	}
	c := make(chan os.Signal, 4)
	signal.Notify(c, syscall.SIGUSR1)
	go toggle(c, name)
	work.Main("selftrace")
}

func toggle(c <-chan os.Signal, name string) {
	for n := 1; ; n++ {
		<-c
		path := fmt.Sprintf("%s.%d", name, n)
		f, err := os.Create(path)
		if err == nil {
			err = trace.Start(f)
		}
		if err != nil {
			fmt.Println("trace failed:", err)
			continue
		}
		fmt.Println("trace on", path)
		<-c
		trace.Stop()
		f.Close()
		fmt.Println("trace off", path)
	}
}
