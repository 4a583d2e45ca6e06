// Package tasks is the one workload that annotates itself with runtime/trace; it never starts the tracer.
package tasks

import (
	"context"
	"runtime/trace"
	"sync/atomic"
	"time"

	"gotrace.test/workloads/work"
)

func init() {
	work.Register("user", "user tasks, regions and logs", false, user)
}

// user counts what reaches the runtime although the tracer is off (NewTask, WithRegion, Log) apart from what does not
// (StartRegion and Logf ask first whether tracing is on).
func user(r *work.Run) {
	tasks, regions, logs := r.Count("user.tasks"), r.Count("user.regions"), r.Count("user.logs")
	quiet := r.Count("user.only_while_tracing")
	for n := 0; !r.Over(); n++ {
		ctx, task := trace.NewTask(context.Background(), "order")
		atomic.AddInt64(tasks, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			trace.WithRegion(ctx, "pack", func() {
				trace.Logf(ctx, "parcel", "number %d", n)
				time.Sleep(200 * time.Microsecond)
				trace.StartRegion(ctx, "label").End()
			})
			atomic.AddInt64(regions, 1)
			atomic.AddInt64(quiet, 2)
		}()
		<-done
		if n%4 == 0 {
			child, sub := trace.NewTask(ctx, "refund")
			trace.Log(child, "reason", "broken")
			sub.End()
			atomic.AddInt64(tasks, 1)
			atomic.AddInt64(logs, 1)
		}
		task.End()
	}
}
