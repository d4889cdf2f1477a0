package postgres_test

import (
	"fmt"

	"github.com/tidemill/tidemill/connector/postgres"
)

func ExampleSource() {
	src := postgres.Source("postgres://reader:secret@db.example.com/shop", "orders", "stock.items")
	fmt.Println(src.Describe())
	fmt.Println(src.TableNames())
	// Output:
	// postgres tables=public.orders,stock.items slot=tidemill_shop publication=tidemill_shop
	// [postgres://db.example.com:5432/shop/public.orders postgres://db.example.com:5432/shop/stock.items]
}

func ExampleSourceConfig() {
	cfg := postgres.NewSourceConfig()
	cfg.URL = "postgres://reader:secret@db.example.com/shop"
	cfg.Tables = []string{"orders"}
	src, err := cfg.Build("late-orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(src.(*postgres.Capture).Describe())
	// Output:
	// postgres tables=public.orders slot=tidemill_late_orders publication=tidemill_late_orders
}

func ExampleSink() {
	w := postgres.Sink("postgres://writer:secret@db.example.com/shop", "predictions")
	fmt.Println(w.Describe())
	// Output:
	// postgres table=public.predictions truth=true
}
