// Uploads with net/http as people write it, and prints the statuses that it gets.
// usage: uploads URL TRIES BYTES PAUSE_MICROSECONDS
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

type body struct {
	left  int
	pause time.Duration
}

func (b *body) Read(into []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(b.pause)
	n := min(len(into), b.left)
	b.left -= n
	return n, nil
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func number(at int) int {
	n, err := strconv.Atoi(os.Args[at])
	if err != nil {
		panic(err)
	}
	return n
}

func main() {
	pause := time.Duration(number(4)) * time.Microsecond
	for i := 0; i < number(2); i++ {
		request, _ := http.NewRequest("POST", os.Args[1], &body{number(3), pause})
		request.ContentLength = int64(number(3))
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			fmt.Println(err)
			continue
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		fmt.Println(answer.StatusCode)
	}
}
