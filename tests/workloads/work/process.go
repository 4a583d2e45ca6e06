package work

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func init() {
	Register("exec", "becomes itself again (execve) after half of the time", false, execSelf)
	Register("fork", "starts child processes", true, forks)
	Register("killed", "kills itself (SIGKILL) after half of the time", false, func(r *Run) {
		time.Sleep(r.Duration / 2)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
}

const execMark = "GOTRACE_WORK_EXECED"

func execSelf(r *Run) {
	if os.Getenv(execMark) != "" {
		r.Add("exec.done", 1)
		hello(r)
		return
	}
	time.Sleep(r.Duration / 2)
	self, err := os.Executable()
	if err == nil {
		d := fmt.Sprint(r.Duration - r.Duration/2)
		err = syscall.Exec(self, []string{os.Args[0], "-w", "exec", "-d", d}, append(os.Environ(), execMark+"=1"))
	}
	fmt.Fprintln(os.Stderr, "exec:", err)
	r.Add("exec.failed", 1)
}

func forks(r *Run) {
	var n, failed int64
	for !r.Over() {
		if exec.Command("/bin/true").Run() != nil {
			failed++
		}
		n++
		time.Sleep(10 * time.Millisecond)
	}
	r.Add("fork.children", n)
	r.Add("fork.failed", failed)
}
