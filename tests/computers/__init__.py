"""Other people's computers: full of variables, proxies, old settings and half-broken Pythons."""
