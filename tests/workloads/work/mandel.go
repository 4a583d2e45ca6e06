package work

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A parallel Mandelbrot set, cut in three ways: the same work with very different numbers of goroutines.

func init() {
	Register("mandel-px", "Mandelbrot set, a goroutine per pixel", false, mandelPixels)
	Register("mandel-row", "Mandelbrot set, a goroutine per row", true, mandelRows)
	Register("mandel-work", "Mandelbrot set, a worker pool over an unbuffered channel", false, mandelWorkers)
}

const mandelDepth = 200

type picture struct {
	edge   int
	pixels []uint8
}

func newPicture(edge int) *picture { return &picture{edge, make([]uint8, edge*edge)} }

func (p *picture) dot(x, y int) {
	c := complex(3*float64(x)/float64(p.edge)-2.2, 3*float64(y)/float64(p.edge)-1.5)
	z := complex(0, 0)
	n := 0
	for n < mandelDepth && real(z)*real(z)+imag(z)*imag(z) < 4 {
		z = z*z + c
		n++
	}
	p.pixels[y*p.edge+x] = uint8(n)
}

func (p *picture) row(y int) {
	for x := 0; x < p.edge; x++ {
		p.dot(x, y)
	}
}

// inside is how many dots belong to the set: the same for every way of cutting.
func (p *picture) inside() (n int64) {
	for _, v := range p.pixels {
		if v == mandelDepth {
			n++
		}
	}
	return n
}

func mandelPixels(r *Run) {
	made := r.Count("mandel-px.created")
	pace := r.pacer()
	for !r.Over() {
		p := newPicture(r.size(128))
		var wg sync.WaitGroup
		for y := 0; y < p.edge; y++ {
			wg.Add(p.edge)
			for x := 0; x < p.edge; x++ {
				x, y := x, y
				go func() { // work.mandelPixels.func1
					p.dot(x, y)
					wg.Done()
				}()
			}
			atomic.AddInt64(made, int64(p.edge))
		}
		wg.Wait()
		r.Add("mandel-px.pictures", 1)
		r.Add("mandel-px.inside", p.inside())
		pace.wait()
	}
}

func mandelRows(r *Run) {
	made := r.Count("mandel-row.created")
	pace := r.pacer()
	for !r.Over() {
		p := newPicture(r.size(256))
		var wg sync.WaitGroup
		for y := 0; y < p.edge; y++ {
			y := y
			wg.Add(1)
			atomic.AddInt64(made, 1)
			go func() { // work.mandelRows.func1
				p.row(y)
				wg.Done()
			}()
			pace.wait()
		}
		wg.Wait()
		r.Add("mandel-row.pictures", 1)
		r.Add("mandel-row.inside", p.inside())
	}
}

func mandelWorkers(r *Run) {
	type job struct {
		p    *picture
		x, y int
	}
	jobs := make(chan job)
	sent := r.Count("mandel-work.sends")
	var wg sync.WaitGroup // of one picture
	workers := runtime.GOMAXPROCS(0)
	for i := 0; i < workers; i++ {
		go func() { // work.mandelWorkers.func1
			for j := range jobs {
				j.p.dot(j.x, j.y)
				wg.Done()
			}
		}()
	}
	r.Add("mandel-work.created", int64(workers))
	pace := r.pacer()
	for !r.Over() {
		p := newPicture(r.size(128))
		wg.Add(p.edge * p.edge)
		for y := 0; y < p.edge; y++ {
			for x := 0; x < p.edge; x++ {
				jobs <- job{p, x, y}
			}
			atomic.AddInt64(sent, int64(p.edge))
		}
		wg.Wait()
		r.Add("mandel-work.pictures", 1)
		r.Add("mandel-work.inside", p.inside())
		pace.wait()
	}
	close(jobs)
}
