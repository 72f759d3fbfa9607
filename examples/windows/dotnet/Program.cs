using System.Globalization;
using Humanizer;

if (args.Length != 1 || !int.TryParse(args[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
{
    Console.Error.WriteLine("usage: count NUMBER");
    return 2;
}

Console.WriteLine(number.ToWords(CultureInfo.InvariantCulture));
return 0;
