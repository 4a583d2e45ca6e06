package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"time"
)

func pingpong(n int) int {
	a, b := make(chan int), make(chan int)
	go func() {
		for v := range a {
			b <- v + 1
		}
		close(b)
	}()
	v := 0
	for i := 0; i < n; i++ {
		a <- v
		v = <-b
	}
	close(a)
	return v
}

func spawn(n int) {
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() { runtime.Gosched(); wg.Done() }()
	}
	wg.Wait()
}

func main() {
	if len(os.Args) > 1 {
		f, err := os.Create(os.Args[1])
		if err != nil {
			panic(err)
		}
		pprof.StartCPUProfile(f)
		defer f.Close()
		defer pprof.StopCPUProfile()
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	ctx, task := trace.NewTask(context.Background(), "t")
	trace.Log(ctx, "a", "b")
	defer trace.StartRegion(ctx, "r").End()
	n := 0
	end := time.Now().Add(3 * time.Second)
	for time.Now().Before(end) {
		n += pingpong(20000)
		spawn(20000)
		n += extra()
		runtime.GC()
		time.Sleep(time.Millisecond)
		if len(os.Args) == 1 {
			break
		}
	}
	trace.WithRegion(ctx, "w", func() { n++ })
	task.End()
	fmt.Println(n)
}
