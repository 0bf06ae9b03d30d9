postMessage({ sitq: 'ready', protocol: 0 })
