exports.berths = () => [{ number: 1, free: true }, { number: 2, free: false }];
