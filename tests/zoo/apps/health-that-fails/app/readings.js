const readings = [{ at: '08:00', celcius: 4 }, { at: '09:00', celcius: 6 }];

exports.latest = () => readings[readings.length - 1];
